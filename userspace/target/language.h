// Which language a process is written in, as far as its files show. Own code: bcc's
// bcc_procutils_language reads the command line, where people put passwords, and knows no versions.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "target/cached_file.h"
#include "target/mapping.h"

namespace ct {

// By the names of the mapped files: "java", "python 3.11", "node.js"...; empty if they show none.
std::string LanguageOfRuntime(std::span<const Mapping> mappings, std::string_view executable);

// By the executable itself: "go", "rust", "c++" or "c".
std::string LanguageOfFile(CachedFile& file, FileOpener& opener);

}  // namespace ct
