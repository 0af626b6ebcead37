// Where threads were as they called an acquire or a release: stacks out of what the kernel kept.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include <sys/types.h>

#include "kernel/holds.h"
#include "observe/stack_book.h"
#include "reader/reader.h"

namespace ct {

struct PlaceToRead {
  pid_t tid = 0;
  pid_t ns_tid = 0;
  const CallPlace* place = nullptr;
  // Of the same thread: its copy of the stack goes on further out.
  const CallPlace* later = nullptr;
  bool goes_on = false;  // ThreadToRead::stack_goes_on
};

// Of threads of one process, each with what was kept over its stack as it is now; of Python code
// the innermost frames alone. In the order of `places`; nullopt: not to be read, or no room.
std::vector<std::optional<StackBook::Id>> ReadPlaces(Reader& reader, pid_t pid,
                                                     std::span<const PlaceToRead> places,
                                                     StackBook& stacks);

}  // namespace ct
