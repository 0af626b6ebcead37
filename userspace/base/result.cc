#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace ct {

tl::unexpected<Error> FailErrno(const std::string& context, int saved_errno) {
  ErrorCode code = ErrorCode::kIo;
  switch (saved_errno) {
    case EPERM:
    case EACCES:
      code = ErrorCode::kPermission;
      break;
    case ENOENT:
    case ESRCH:
      code = ErrorCode::kNotFound;
      break;
    case ENOSYS:
    case EOPNOTSUPP:
      code = ErrorCode::kUnsupported;
      break;
    case ETIMEDOUT:
      code = ErrorCode::kTimeout;
      break;
    default:
      break;
  }
  return Fail(code, context + ": " + std::strerror(saved_errno));
}

}  // namespace ct
