#include "probes/shipped_catalog.h"

#include <iterator>

#include "probes/catalog.h"

namespace ct {

Result<std::vector<CatalogFamily>> ShippedCatalog() {
  std::vector<CatalogFamily> families;
  for (const CatalogText& shipped : ShippedTexts()) {
    auto more = ParseCatalog(shipped.text, shipped.file);
    if (!more) return Fail(more.error());
    families.insert(families.end(), std::make_move_iterator(more->begin()),
                    std::make_move_iterator(more->end()));
  }
  return families;
}

}  // namespace ct
