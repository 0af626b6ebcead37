#include "snapshot/envelope.h"
#include "snapshot/message.h"
#include "snapshot/snapshot.h"

namespace ct {

std::string Encode(const Observation& observation, std::span<const Finding> findings) {
  std::string file = ToMessage(observation, findings).SerializeAsString();
  AppendTrailer(file);
  return file;
}

}  // namespace ct
