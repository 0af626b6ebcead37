// Which frames of a stack are the reader's own code, and how a frame is named in a line.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/observation.h"

namespace ct {

// Where something happens, ready to be printed; both parts may be empty.
struct Place {
  std::string function;  // short; "libfoo.so+0x1234" without a symbol
  std::string location;  // "ledger.cc:71", or the module where no line is known
  auto operator<=>(const Place&) const = default;
};

// How much a frame tells the reader about his own code.
enum class Ownership : std::uint8_t {
  kUnnamed,    // no function, or of the kernel
  kFramework,  // the C and C++ runtime, a lock's implementation, a language's own library
  kLibrary,    // a library of the distribution, without source lines; Python's installed packages,
               // a pool that is waited for
  kOwn,
};
Ownership OwnershipOf(const Frame& frame, const Observation& observation);

Place PlaceOf(const Frame& frame, const Observation& observation);

// Own frames by stack, each stack looked at once.
class OwnFrames {
 public:
  // `observation` must outlive it.
  explicit OwnFrames(const Observation& observation) : observation_(&observation) {}

  // The innermost frame of the highest ownership that the stack has.
  const Place& Innermost(StackIndex stack) { return Of(stack).innermost; }
  // The next own function outside of that one: what a lock that is held there was taken under.
  // The innermost if there is none.
  const Place& Around(StackIndex stack) { return Of(stack).around; }
  // Who made a task, by the stack that did: the frames of the highest ownership, innermost first,
  // at most `limit`. Those around an event loop are the same for all that it runs: they are told
  // only where there is nothing else.
  [[nodiscard]] std::vector<Place> Makers(StackIndex stack, std::size_t limit) const;

 private:
  struct Places {
    Place innermost;
    Place around;
  };
  const Places& Of(StackIndex stack);
  [[nodiscard]] Places Look(StackIndex stack) const;

  const Observation* observation_;
  std::unordered_map<StackIndex, Places> places_;
};

}  // namespace ct
