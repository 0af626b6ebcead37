// The catalogs that are shipped, as text.
#pragma once

#include <span>
#include <string_view>

namespace ct {

struct CatalogText {
  std::string_view file;  // "glibc.toml"
  std::string_view text;
};

// Written by embed_catalog.cmake from deploy/catalog.d, in the order of their names.
std::span<const CatalogText> ShippedTexts();

}  // namespace ct
