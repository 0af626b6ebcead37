# Writes OUTPUT, a source file with the text of all FILES.
set(entries "")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME)
  file(READ ${file} text)
  string(APPEND entries "    {\"${name}\", R\"toml(${text})toml\"},\n")
endforeach()
set(source "// Generated from deploy/catalog.d.\n#include \"probes/shipped_catalog.h\"\n
namespace ct {\n
std::span<const CatalogText> ShippedTexts() {
  static constexpr CatalogText kTexts[] = {\n${entries}  };
  return kTexts;\n}\n\n}  // namespace ct\n")
file(WRITE ${OUTPUT} "${source}")
