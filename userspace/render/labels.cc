#include "render/labels.h"

#include <fmt/format.h>

namespace ct {

std::string Labels::Of(ResourceIndex resource) {
  const auto [entry, added] = numbers_.try_emplace(resource, numbers_.size() + 1);
  if (added) in_order_.push_back(resource);
  return fmt::format("L{}", entry->second);
}

}  // namespace ct
