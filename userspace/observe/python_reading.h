// Reads the Python processes of a look twice: right after the first sweep and before the second.
#pragma once

#include <string>
#include <vector>

#include "observe/look.h"
#include "reader/reader.h"

namespace ct {

// Of look.selected, those that are Python. One whose version is not known is a loss.
void BeginPython(Reader& reader, const std::vector<std::string>& exclusive_classes, RawLook& look);
// Of those that the first reading found.
void EndPython(Reader& reader, const std::vector<std::string>& exclusive_classes, RawLook& look);

}  // namespace ct
