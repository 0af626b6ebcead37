// A snapshot as protobuf's own JSON mapping of concurrency_tracer.v1.Snapshot.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "render/renderer.h"

namespace ct {

// One line (or indented with `pretty`), ending in a newline. The standard mapping: lowerCamelCase
// names, 64-bit integers as strings, enums by name, fields that have their default value left out.
// Any protobuf library reads it back into the message; there is no trailer, whose checksum is of
// the binary form.
Result<std::string> RenderJson(const Observation& observation, std::span<const Finding> findings,
                               const RenderOptions& options);

}  // namespace ct
