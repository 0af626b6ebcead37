// Where a file keeps .eh_frame and .eh_frame_hdr, and where its functions begin according to them.
#pragma once

#include <cstdint>
#include <vector>

#include "target/elf_file.h"

namespace ct {

// .eh_frame_hdr and .eh_frame, by section headers or, in a file without any, by PT_GNU_EH_FRAME.
std::vector<ElfSection> EhFrameSections(ByteSource& source, const ElfFile& file);

// The sorted first addresses of the functions that .eh_frame_hdr lists; empty without the table or
// with an encoding that linkers do not use.
std::vector<std::uint64_t> FunctionStarts(ByteSource& source, const ElfFile& file);

}  // namespace ct
