// What a reading of a live Python process takes from it, kept, so that it can be read again, and
// differently, when the process is gone.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "target/target.h"

namespace ct {

// Pages, by their number.
class ImageMemory final : public Memory {
 public:
  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override;
  void Keep(std::uint64_t address, std::span<const std::byte> bytes);
  [[nodiscard]] std::size_t pages() const { return pages_.size(); }
  // The addresses of all words that were kept, in ascending order.
  [[nodiscard]] std::vector<std::uint64_t> Words() const;

 private:
  static constexpr std::uint64_t kPage = 4096;
  struct Page {
    std::array<std::byte, kPage> bytes{};
    std::array<bool, kPage / 8> known{};  // by words
  };
  std::unordered_map<std::uint64_t, std::unique_ptr<Page>> pages_;
};

// Names of objects and sections, as a target answered when it was asked for them.
using ImageNames = std::map<std::pair<std::uint64_t, std::string>, std::optional<std::uint64_t>>;

struct PythonImage {
  pid_t pid = 0;
  std::vector<Mapping> mappings;
  ImageNames names;
  ImageMemory memory;
};

// Keeps all that is read of `target` in `image`; or, without a target, answers from it, but for the
// memory, which is `memory`.
class ImageTarget final : public Target {
 public:
  ImageTarget(Target* target, PythonImage& image, Memory& memory)
      : target_(target), image_(image), memory_(memory) {}
  static std::unique_ptr<Memory> Recorder(Target& target, PythonImage& image);

  [[nodiscard]] pid_t pid() const override { return image_.pid; }
  Memory& memory() override { return memory_; }
  Status Refresh() override { return {}; }
  [[nodiscard]] std::span<const Mapping> mappings() const override {
    return target_ != nullptr ? target_->mappings() : image_.mappings;
  }
  [[nodiscard]] const Mapping* FindMapping(std::uint64_t) const override { return nullptr; }
  [[nodiscard]] std::span<const Module> modules() const override { return {}; }
  UnwoundStack Unwind(const Registers&, const StackOptions&) override { return {}; }
  std::optional<std::string> DataSymbol(std::uint64_t) override { return std::nullopt; }
  std::optional<std::uint64_t> ObjectNamed(const Mapping& mapping,
                                           std::string_view symbol) override;
  std::optional<std::uint64_t> SectionNamed(const Mapping& mapping,
                                            std::string_view section) override;
  std::optional<FunctionPlace> FunctionBeginningAt(std::uint64_t) override { return std::nullopt; }
  NamedFunctions FunctionsNamed(std::span<const FunctionQuery>) override { return {}; }
  std::optional<FunctionCode> CodeAt(std::uint64_t) override { return std::nullopt; }
  std::string DescribeAddress(std::uint64_t) override { return ""; }
  std::string Language() override { return "python"; }

 private:
  Target* target_;
  PythonImage& image_;
  Memory& memory_;
};

}  // namespace ct
