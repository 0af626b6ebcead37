// The two tables of a code object: where its instructions come from, and what handles their
// exceptions. Pure: bytes in, numbers out.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ct::cpython {

// The line of the instruction at `offset` (bytes from the first instruction) by co_linetable, as
// of PEP 626 and Objects/locations.md (3.11 and later). 0: it has none.
std::uint32_t LineAt(std::string_view table, std::uint32_t first_line, std::uint64_t offset);

// How many stack slots are live below the handler that covers the instruction at `offset`, by
// co_exceptiontable (Objects/exception_handling_notes.txt, 3.11 and later). nullopt: no handler.
std::optional<std::uint32_t> HandlerDepthAt(std::string_view table, std::uint64_t offset);

// The instruction at `offset` is run only after an exception: in an except clause, or in a finally
// or with statement's way out of one.
bool IsInHandler(std::string_view table, std::uint64_t offset);

}  // namespace ct::cpython
