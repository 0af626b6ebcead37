// What the user calls the object behind a C library's call: std::mutex, mtx_t...
#pragma once

#include <string>

#include "locks/decoders.h"

namespace ct {

// The C++, C11 or Rust type whose member functions stand right outside the C library's frames, for
// an object that `api` waits for; `otherwise` where they show none (inlined without debug
// information, or plain C).
std::string UserType(const DecodeContext& context, WaitApi api, std::string otherwise);

}  // namespace ct
