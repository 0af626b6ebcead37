// Which functions of which libraries and programs acquire and release: a list in TOML, shipped and
// extensible. Pure: text in, families out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/hold_probe.h"

namespace ct {

// One function of a family.
struct CatalogFunction {
  // A symbol ("pthread_mutex_lock"), or a C++ name as people write it: with parameters
  // ("Pool::acquire(int)") that one, without all overloads.
  std::string name;
  HoldRole role = HoldRole::kAcquire;
  AccessMode mode = AccessMode::kExclusive;
  std::uint32_t key_argument = 0;
  std::uint32_t unit_argument = 1;  // kRelease of a pool with units
  SuccessRule success = SuccessRule::kReturns;
  ReturnValue succeeds = ReturnValue::kAny;
  bool operator==(const CatalogFunction&) const = default;
};

struct CatalogFamily {
  std::string name;  // "glibc mutex"
  std::vector<std::string>
      files;  // patterns (fnmatch) of file names: "libc.so.6"; "exe": the program
  ResourceKind kind = ResourceKind::kMutex;
  Implementation implementation = Implementation::kUnknown;
  std::string type;
  bool has_units = false;
  std::uint32_t capacity = 0;  // 0: not known
  OwnerWord owner;
  std::vector<CatalogFunction> functions;
  std::string source;  // "glibc.toml:3", or "--pool"
  bool operator==(const CatalogFamily&) const = default;
};

// kMalformed: "FILE:LINE: what is wrong", the first mistake. `file` is only for messages.
Result<std::vector<CatalogFamily>> ParseCatalog(std::string_view text, std::string_view file);

// What is shipped with the program (deploy/catalog.d, compiled in).
Result<std::vector<CatalogFamily>> ShippedCatalog();

// `families` and `later`: one of `later` replaces the one of the same name.
std::vector<CatalogFamily> Override(std::vector<CatalogFamily> families,
                                    std::vector<CatalogFamily> later);

// "FILE:ACQUIRE[,ACQUIRE...],RELEASE[;OPTION...]", as in
// --pool 'app:ConnectionPool::acquire,ConnectionPool::release': FILE is a file's name or a pattern,
// the last function releases, the others acquire. Options:
//   capacity=N      how many units it has
//   key=N           which argument (0 to 5) is the pool; 0, this, if it is not said
//   unit=N          which argument of the release is what the acquire returned; 1 if it is not said
//   unit=none       none is
//   succeeds=WORD   what an acquire returns when it has got one: returns (anything), nonzero, true,
//                   zero, one; returns, if it is not said
// kUsage with one line.
Result<CatalogFamily> ParsePool(std::string_view text);

}  // namespace ct
