#include "render/json.h"

#include <google/protobuf/util/json_util.h>

#include "snapshot/message.h"

namespace ct {

Result<std::string> RenderJson(const Observation& observation, std::span<const Finding> findings,
                               const RenderOptions& options) {
  google::protobuf::util::JsonPrintOptions print;
  print.add_whitespace = options.pretty;
  std::string json;
  const auto status =
      google::protobuf::util::MessageToJsonString(ToMessage(observation, findings), &json, print);
  if (!status.ok()) return Fail(ErrorCode::kInternal, "json: " + status.ToString());
  if (!json.ends_with('\n')) json += '\n';
  return json;
}

}  // namespace ct
