// L1, L2, ...: short names for the resources of one finding, in the order in which they appear.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/frame.h"

namespace ct {

class Labels {
 public:
  std::string Of(ResourceIndex resource);  // gives it a label if it has none
  [[nodiscard]] const std::vector<ResourceIndex>& in_order() const { return in_order_; }

 private:
  std::map<ResourceIndex, std::size_t> numbers_;
  std::vector<ResourceIndex> in_order_;
};

}  // namespace ct
