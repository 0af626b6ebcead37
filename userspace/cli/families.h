// Which functions are followed: what is shipped, what the administrator adds, and what the user
// names.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "probes/catalog.h"

namespace ct {

// `pools`: see ParsePool. The first mistake of any of them, with one line.
Result<std::vector<CatalogFamily>> LoadFamilies(const std::vector<std::string>& pools);

}  // namespace ct
