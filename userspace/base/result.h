// The one way in which a function of this project says that it failed.
#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace ct {

enum class ErrorCode {
  kInternal,     // our own mistake, or a system call that "cannot" fail
  kUsage,        // the user asked for something that cannot be; exit status 2
  kNotFound,     // the process, file or symbol is not there (any more)
  kPermission,   // a capability or permission is missing
  kUnsupported,  // the kernel or the target lacks a feature
  kMalformed,    // bytes that do not mean what they should (files, target memory)
  kTimeout,      // a deadline passed
  kIo,           // reading or writing failed (disk full, read-only, short read)
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // one clear line, lower case, no full stop

  // Puts where it happened before what happened: "reading /proc/1/maps: permission denied".
  [[nodiscard]] Error With(const std::string& context) const {
    return Error{code, context + ": " + message};
  }
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = tl::expected<void, Error>;

[[nodiscard]] inline tl::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}
[[nodiscard]] inline tl::unexpected<Error> Fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}
// Fail with `context: strerror(saved_errno)`; EPERM/EACCES, ENOENT/ESRCH and the rest get their
// own code.
[[nodiscard]] tl::unexpected<Error> FailErrno(const std::string& context, int saved_errno);

}  // namespace ct
