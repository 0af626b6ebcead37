// What a catalog asks of a process.
#pragma once

#include <cstddef>
#include <vector>

#include "probes/catalog.h"
#include "reader/reader.h"

namespace ct {

// One function of a catalog: families[family].functions[function].
struct CatalogEntry {
  std::size_t family = 0;
  std::size_t function = 0;
};

struct CatalogQueries {
  std::vector<FunctionToFind> functions;
  std::vector<CatalogEntry> entries;  // one a function
};

// Where all functions of the families are; more than kMaxFunctions go into further requests.
CatalogQueries QueriesOf(const std::vector<CatalogFamily>& families);

}  // namespace ct
