// libbpf's own words, kept for the error message instead of the terminal.
#pragma once

#include "base/result.h"

namespace ct {

// Forgets what was said before: to be called before a program is opened.
void CollectLibbpfLog();
// `error` is negative, as libbpf returns it.
tl::unexpected<Error> LoadError(const char* what, int error);

}  // namespace ct
