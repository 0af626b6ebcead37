#include "base/capabilities.h"

#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/capability.h>

namespace ct {

bool HasCapability(int capability) {
  const std::unique_ptr<std::remove_pointer_t<cap_t>, decltype(&cap_free)> own(cap_get_proc(),
                                                                               &cap_free);
  cap_flag_value_t value = CAP_CLEAR;
  return own && cap_get_flag(own.get(), capability, CAP_EFFECTIVE, &value) == 0 && value == CAP_SET;
}

tl::unexpected<Error> FailWithoutCapabilities(const std::vector<std::string>& missing) {
  return Fail(ErrorCode::kPermission,
              fmt::format("run this as root: {} {} missing", fmt::join(missing, ", "),
                          missing.size() == 1 ? "is" : "are"));
}

}  // namespace ct
