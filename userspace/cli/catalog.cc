#include "cli/catalog.h"

#include <utility>

#include "probes/catalog_files.h"

namespace ct {

Result<std::vector<CatalogFamily>> LoadCatalog(const std::vector<std::string>& pools) {
  Result<std::vector<CatalogFamily>> shipped = ShippedCatalog();
  if (!shipped) return Fail(shipped.error());
  Result<std::vector<CatalogFamily>> added = LoadCatalogFiles(kCatalogDirectory);
  if (!added) return Fail(added.error());
  std::vector<CatalogFamily> all = Override(std::move(*shipped), std::move(*added));
  for (const std::string& text : pools) {
    Result<CatalogFamily> pool = ParsePool(text);
    if (!pool) return Fail(pool.error());
    all = Override(std::move(all), {std::move(*pool)});
  }
  return all;
}

}  // namespace ct
