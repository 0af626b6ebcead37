#include "kernel/libbpf_log.h"

#include <array>
#include <cstdarg>
#include <cstdio>

#include <bpf/libbpf.h>

namespace ct {
namespace {

std::string& LibbpfLog() {
  static std::string log;
  return log;
}

int CollectLog(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  std::array<char, 512> line;
  vsnprintf(line.data(), line.size(), format, arguments);
  if (LibbpfLog().size() < 8192) LibbpfLog() += line.data();
  return 0;
}

}  // namespace

void CollectLibbpfLog() {
  libbpf_set_print(CollectLog);
  LibbpfLog().clear();
}

tl::unexpected<Error> LoadError(const char* what, int error) {
  std::string first_line = LibbpfLog().substr(0, LibbpfLog().find('\n'));
  Error failure = FailErrno(what, -error).value();
  if (!first_line.empty()) failure.message += " (" + first_line + ")";
  return Fail(failure);
}

}  // namespace ct
