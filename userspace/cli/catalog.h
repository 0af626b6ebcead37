// The catalog that a command works with: what is shipped, what the host adds, what the user names.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "probes/catalog.h"

namespace ct {

// Shipped families, those of /etc/concurrency-tracer/catalog.d, and `pools` (--pool). kUsage or
// kMalformed with one line that says where the mistake is.
Result<std::vector<CatalogFamily>> LoadCatalog(const std::vector<std::string>& pools);

}  // namespace ct
