#include "reader/catalog_queries.h"

namespace ct {
namespace {

bool IsAcquire(HoldRole role) {
  return role == HoldRole::kAcquire || role == HoldRole::kTryAcquire;
}

FunctionToFind QueryOf(const CatalogFamily& family, const CatalogFunction& function) {
  FunctionToFind query;
  query.name = function.name;
  query.files = family.files;
  query.arguments.push_back(function.key_argument);
  const bool gives_back = family.has_units && function.role == HoldRole::kRelease;
  if (gives_back && function.unit_argument != function.key_argument) {
    query.arguments.push_back(function.unit_argument);
  }
  // Which unit an acquire got is what it returns. A condition's wait ends with the mutex: when,
  // only its return says.
  query.want_returns = function.role == HoldRole::kConditionWait ||
                       (IsAcquire(function.role) &&
                        (family.has_units || function.success == SuccessRule::kReturnValue));
  return query;
}

}  // namespace

CatalogQueries QueriesOf(const std::vector<CatalogFamily>& families) {
  CatalogQueries queries;
  for (std::size_t family = 0; family < families.size(); ++family) {
    const auto& functions = families[family].functions;
    for (std::size_t function = 0; function < functions.size(); ++function) {
      queries.functions.push_back(QueryOf(families[family], functions[function]));
      queries.entries.push_back({family, function});
    }
  }
  return queries;
}

}  // namespace ct
