// Separate debug files: those that the host has installed under /usr/lib/debug, found by build-id,
// and the compressed symbol table (.gnu_debugdata) that some distributions put into every file.
#pragma once

#include <optional>
#include <string>

#include "target/elf_file.h"

namespace ct {

struct DebugFile {
  FileSource source;
  ElfFile elf;
  std::string path;
};

// The host's debug file with exactly this build-id. `root` is /usr/lib/debug but for tests.
std::optional<DebugFile> FindDebugFile(const std::string& root, const std::string& build_id);

// The decompressed ELF file in .gnu_debugdata (xz); nullopt if there is none or it is malformed.
std::optional<Bytes> MiniDebugInfo(ByteSource& source, const ElfFile& file);

}  // namespace ct
