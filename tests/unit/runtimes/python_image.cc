#include "tests/unit/runtimes/python_image.h"

#include <algorithm>
#include <cstring>

namespace ct {
namespace {

constexpr std::uint64_t kWord = 8;

class RecordingMemory final : public Memory {
 public:
  RecordingMemory(Memory& memory, ImageMemory& image) : memory_(memory), image_(image) {}
  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override {
    const std::size_t got = memory_.Read(address, out);
    image_.Keep(address, out.first(got));
    return got;
  }

 private:
  Memory& memory_;
  ImageMemory& image_;
};

}  // namespace

std::size_t ImageMemory::Read(std::uint64_t address, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t at = address + done;
    const std::uint64_t offset = at % kPage;
    const auto page = pages_.find(at / kPage);
    if (page == pages_.end()) break;
    const std::size_t wanted = std::min<std::size_t>(out.size() - done, kPage - offset);
    std::size_t length = 0;
    while (length < wanted && page->second->known[(offset + length) / kWord]) {
      length += kWord - (offset + length) % kWord;
    }
    length = std::min(length, wanted);
    std::memcpy(out.data() + done, page->second->bytes.data() + offset, length);
    done += length;
    if (length < wanted) break;
  }
  return done;
}

void ImageMemory::Keep(std::uint64_t address, std::span<const std::byte> bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const std::uint64_t at = address + i;
    auto& page = pages_[at / kPage];
    if (!page) page = std::make_unique<Page>();
    const std::size_t length = std::min<std::size_t>(bytes.size() - i, kWord - at % kWord);
    std::memcpy(page->bytes.data() + at % kPage, bytes.data() + i, length);
    page->known[at % kPage / kWord] = true;
    i += length;
  }
}

std::vector<std::uint64_t> ImageMemory::Words() const {
  std::vector<std::uint64_t> words;
  for (const auto& [number, page] : pages_) {
    for (std::size_t i = 0; i < page->known.size(); ++i) {
      if (page->known[i]) words.push_back(number * kPage + i * kWord);
    }
  }
  std::sort(words.begin(), words.end());
  return words;
}

std::unique_ptr<Memory> ImageTarget::Recorder(Target& target, PythonImage& image) {
  image.pid = target.pid();
  image.mappings.assign(target.mappings().begin(), target.mappings().end());
  return std::make_unique<RecordingMemory>(target.memory(), image.memory);
}

std::optional<std::uint64_t> ImageTarget::ObjectNamed(const Mapping& mapping,
                                                      std::string_view symbol) {
  const std::pair key(mapping.begin, std::string(symbol));
  if (target_ != nullptr) image_.names[key] = target_->ObjectNamed(mapping, symbol);
  return image_.names[key];
}

std::optional<std::uint64_t> ImageTarget::SectionNamed(const Mapping& mapping,
                                                       std::string_view section) {
  const std::pair key(mapping.begin, "section " + std::string(section));
  if (target_ != nullptr) image_.names[key] = target_->SectionNamed(mapping, section);
  return image_.names[key];
}

}  // namespace ct
