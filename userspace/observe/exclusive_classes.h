// Classes of Python libraries whose objects say that only one thread or task may use them at a
// time.
#pragma once

#include <string>
#include <vector>

namespace ct {

// By name, with the module. Their users' subclasses count as well.
std::vector<std::string> DefaultExclusiveClasses();

}  // namespace ct
