// Functions of one process by name: which files may have them, and where they are mapped.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "target/loaded_modules.h"
#include "target/target.h"

namespace ct {

// See Target::FunctionsNamed. `executable`: what /proc/PID/exe says.
NamedFunctions FindNamedFunctions(LoadedModules& modules, const std::string& executable,
                                  std::span<const FunctionQuery> queries);
// See Target::CodeAt.
std::optional<FunctionCode> ReadCodeAt(LoadedModules& modules, std::uint64_t address);

}  // namespace ct
