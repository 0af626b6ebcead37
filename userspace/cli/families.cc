#include "cli/families.h"

#include <utility>

#include "probes/catalog_files.h"

namespace ct {

Result<std::vector<CatalogFamily>> LoadFamilies(const std::vector<std::string>& pools) {
  Result<std::vector<CatalogFamily>> shipped = ShippedCatalog();
  if (!shipped) return shipped;
  Result<std::vector<CatalogFamily>> added = LoadCatalogFiles(kCatalogDirectory);
  if (!added) return added;
  std::vector<CatalogFamily> families = Override(std::move(*shipped), std::move(*added));
  for (const std::string& text : pools) {
    Result<CatalogFamily> pool = ParsePool(text);
    if (!pool) return Fail(pool.error());
    families.push_back(std::move(*pool));
  }
  return families;
}

}  // namespace ct
