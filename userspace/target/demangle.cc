#include "target/demangle.h"

#include <algorithm>
#include <csetjmp>
#include <cstring>

// libiberty.h otherwise declares a basename() that glibc's headers contradict.
#define HAVE_DECL_BASENAME 1
#include <libiberty/demangle.h>

namespace ct {
namespace {

// A mangled name of a few hundred bytes can stand for an exponentially long one (substitutions of
// substitutions), so the demangler is left by longjmp when it has said enough. It holds nothing
// then: in callback mode it allocates on its stack only (libiberty cp-demangle.c, 2.40).
constexpr std::size_t kMaxMangled = 4096;
constexpr std::size_t kMaxDemangled = 4096;

struct Sink {
  std::jmp_buf enough;
  std::size_t size;
  char text[kMaxDemangled];
};

void Collect(const char* text, std::size_t size, void* opaque) {
  auto* sink = static_cast<Sink*>(opaque);
  if (size > kMaxDemangled - sink->size) std::longjmp(sink->enough, 1);
  std::memcpy(sink->text + sink->size, text, size);
  sink->size += size;
}

// Trivial objects only in here: longjmp runs no destructors.
bool DemangleInto(const char* mangled, int options, Sink& sink) {
  sink.size = 0;
  if (setjmp(sink.enough) != 0) return false;
  if (rust_demangle_callback(mangled, options, Collect, &sink) != 0) return true;
  sink.size = 0;
  return cplus_demangle_v3_callback(mangled, options, Collect, &sink) != 0;
}

std::string DemangleBy(int options, std::string_view symbol) {
  const std::size_t version = symbol.find('@', 1);
  std::string plain(symbol.substr(0, std::min(version, kMaxMangled)));
  if (!LooksMangled(plain)) return plain;
  static thread_local Sink sink;
  if (!DemangleInto(plain.c_str(), options, sink)) return plain;
  return std::string(sink.text, sink.size);
}

}  // namespace

bool LooksMangled(std::string_view symbol) {
  return symbol.starts_with("_Z") || symbol.starts_with("_R") || symbol.starts_with("__Z");
}

std::string Demangle(std::string_view symbol) {
  return DemangleBy(DMGL_ANSI, symbol);  // neither DMGL_PARAMS nor DMGL_VERBOSE
}

std::string DemangleWithParameters(std::string_view symbol) {
  // A template's return type is part of its mangled name, and of nobody's call.
  return DemangleBy(DMGL_ANSI | DMGL_PARAMS | DMGL_RET_DROP, symbol);
}

}  // namespace ct
