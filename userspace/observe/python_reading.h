// Reads the Python processes of a look twice: right after the first sweep and before the second.
#pragma once

#include "observe/look.h"
#include "reader/reader.h"

namespace ct {

// Of look.selected, those that are Python. One whose version is not known is a loss.
void BeginPython(Reader& reader, RawLook& look);
// Of those that the first reading found.
void EndPython(Reader& reader, RawLook& look);

}  // namespace ct
