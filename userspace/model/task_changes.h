// What tasks have done between two looks.
#pragma once

#include <string>
#include <vector>

#include "model/frame.h"

namespace ct {

// In one look, against the one before. Indices are of its actors.
struct TaskChanges {
  std::vector<ActorIndex> appeared;
  std::vector<ActorIndex> moved;  // at another place, for something else, or with another deadline
  std::vector<ActorIndex> same;
  std::vector<std::string> ended;  // requests, or names
};

}  // namespace ct
