// Text that comes from elsewhere.
#pragma once

#include <string>
#include <string_view>

namespace ct {

// The same text with every byte that is not part of valid UTF-8, and every control character,
// replaced by '?', cut to `limit` bytes (at a character's border, marked by "..."). Names of
// processes, threads, symbols and files are whatever a target wants them to be: protobuf refuses
// invalid UTF-8 and a terminal obeys escape sequences.
std::string CleanText(std::string_view text, std::size_t limit = 4096);

}  // namespace ct
