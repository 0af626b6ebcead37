// What of root's privileges the reader process keeps.
#pragma once

#include <string>
#include <vector>

namespace ct {

// Of root's capabilities those that reading needs and this process has not: "CAP_SYS_PTRACE".
// Empty for anybody but root, who may read his own processes without.
std::vector<std::string> MissingReadingCapabilities();

// Drops every other capability. False if one of those that are needed is missing.
bool KeepOnlyReadingCapabilities();

}  // namespace ct
