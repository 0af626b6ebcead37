// The protobuf message of a snapshot without its trailer: what is written to a file, and what the
// json renderer prints.
#pragma once

#include <span>

#include "concurrency_tracer/v1/snapshot.pb.h"
#include "model/finding.h"
#include "model/observation.h"

namespace ct {

namespace pb = concurrency_tracer::v1;

pb::Snapshot ToMessage(const Observation& observation, std::span<const Finding> findings);

}  // namespace ct
