// Where the functions of a catalog are probed in a process, for people.
#pragma once

#include <string>
#include <vector>

#include "probes/catalog.h"
#include "reader/catalog_queries.h"
#include "reader/reader.h"

namespace ct {

// `found` answers the functions of `queries`, which are QueriesOf(families).
std::string ReportProbes(const std::vector<CatalogFamily>& families, const CatalogQueries& queries,
                         const std::vector<FunctionFound>& found);

// All that is there can be probed, and all that the user named is there.
bool IsComplete(const std::vector<CatalogFamily>& families, const CatalogQueries& queries,
                const std::vector<FunctionFound>& found);

}  // namespace ct
