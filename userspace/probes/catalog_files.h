// Catalogs that an administrator has added.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "probes/catalog.h"

namespace ct {

inline constexpr const char* kCatalogDirectory = "/etc/concurrency-tracer/catalog.d";
inline constexpr std::size_t kMaxCatalogFiles = 64;
inline constexpr std::size_t kMaxCatalogFileBytes = 256 << 10;

// All *.toml of the directory in the order of their names; a family replaces one of the same name
// in an earlier file. No directory: none. They say where probes go in any process, so they, and the
// directory, must be of `owner` and writable by nobody else: kPermission. kMalformed: too many, too
// large, no regular file, or what ParseCatalog() says; kIo. All with one line.
Result<std::vector<CatalogFamily>> LoadCatalogFiles(const std::string& directory, uid_t owner = 0);

}  // namespace ct
