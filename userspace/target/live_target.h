// Target of a live process.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "target/loaded_modules.h"
#include "target/named_functions.h"
#include "target/perf_map.h"
#include "target/target.h"
#include "target/unwinder.h"

namespace ct {

class LiveTarget final : public Target, private CodeMap {
 public:
  LiveTarget(pid_t pid, ProcDir process, std::shared_ptr<FileCache> cache);

  [[nodiscard]] pid_t pid() const override { return pid_; }
  Memory& memory() override { return memory_; }
  Status Refresh() override;
  [[nodiscard]] std::span<const Mapping> mappings() const override { return loaded_.mappings(); }
  [[nodiscard]] const Mapping* FindMapping(std::uint64_t address) const override;
  [[nodiscard]] std::span<const Module> modules() const override { return modules_; }
  UnwoundStack Unwind(const Registers& registers, const StackOptions& options) override;
  std::optional<std::string> DataSymbol(std::uint64_t address) override;
  std::optional<std::uint64_t> ObjectNamed(const Mapping& mapping,
                                           std::string_view symbol) override;
  std::optional<std::uint64_t> SectionNamed(const Mapping& mapping,
                                            std::string_view section) override;
  std::optional<FunctionPlace> FunctionBeginningAt(std::uint64_t address) override;
  NamedFunctions FunctionsNamed(std::span<const FunctionQuery> queries) override;
  std::optional<FunctionCode> CodeAt(std::uint64_t address) override {
    return ReadCodeAt(loaded_, address);
  }
  std::string DescribeAddress(std::uint64_t address) override;
  std::string Language() override;

 private:
  Code Find(std::uint64_t pc) override;
  std::uint64_t FunctionStart(std::uint64_t pc) override;
  bool IsThreadStart(std::uint64_t pc) override;

  void AppendFrames(const RawFrame& raw, bool source_lines, UnwoundStack& out);
  ModuleIndex IndexOf(LoadedModule& module);
  PlacedMapping PlaceAt(std::uint64_t address);
  const Symbol* FunctionAt(std::uint64_t pc, std::uint64_t& bias);
  std::string FindLanguage();

  pid_t pid_;
  ProcDir process_;
  ProcessMemory memory_;
  std::shared_ptr<FileCache> cache_;
  LoadedModules loaded_;
  std::string maps_;  // what was parsed last
  std::vector<Module> modules_;
  PerfMap perf_map_;
  std::optional<std::string> language_;
};

}  // namespace ct
