// Names as people write them.
#pragma once

#include <string>
#include <string_view>

namespace ct {

// C++ (Itanium), Rust legacy and v0, without parameter lists and hashes; anything else comes back
// as it is, without a symbol version ("@@GLIBC_2.34"). Bounded: a name may be hostile.
std::string Demangle(std::string_view symbol);
// The same with parameter lists and qualifiers: "app::Pool::acquire(int) const".
std::string DemangleWithParameters(std::string_view symbol);

bool LooksMangled(std::string_view symbol);

}  // namespace ct
