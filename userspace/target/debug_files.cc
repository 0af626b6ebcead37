#include "target/debug_files.h"

#include <fcntl.h>
#include <lzma.h>

#include <algorithm>

#include "target/proc_dir.h"

namespace ct {
namespace {

constexpr std::uint64_t kMaxCompressed = 32 << 20;
constexpr std::size_t kMaxInflated = 128 << 20;
constexpr std::uint64_t kMaxDecoderMemory = 128 << 20;  // xz -9 needs 65 MiB

}  // namespace

std::optional<DebugFile> FindDebugFile(const std::string& root, const std::string& build_id) {
  constexpr std::size_t kDirectoryDigits = 2;
  if (build_id.size() <= kDirectoryDigits) return std::nullopt;
  const UniqueFd directory(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.ok()) return std::nullopt;
  const std::string path = ".build-id/" + build_id.substr(0, kDirectoryDigits) + "/" +
                           build_id.substr(kDirectoryDigits) + ".debug";
  // build_id is hexadecimal by construction: it cannot leave the directory.
  UniqueFd fd(openat(directory.get(), path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.ok()) return std::nullopt;
  auto source = FileSource::Open(std::move(fd));
  if (!source) return std::nullopt;
  auto elf = ElfFile::Read(*source);
  if (!elf || elf->build_id != build_id) return std::nullopt;
  return DebugFile{std::move(*source), std::move(*elf), root + "/" + path};
}

std::optional<Bytes> MiniDebugInfo(ByteSource& source, const ElfFile& file) {
  const ElfSection* section = file.Section(".gnu_debugdata");
  if (section == nullptr) return std::nullopt;
  const auto packed = ReadSection(source, *section, kMaxCompressed);
  if (!packed) return std::nullopt;
  const auto* in = reinterpret_cast<const std::uint8_t*>(packed->data());
  // The output grows until it fits: the format's own size field cannot be trusted.
  for (std::size_t size = std::max<std::size_t>(packed->size() * 8, 64 << 10);; size *= 4) {
    size = std::min(size, kMaxInflated);
    Bytes out(size);
    std::uint64_t memory_limit = kMaxDecoderMemory;
    std::size_t in_at = 0;
    std::size_t out_at = 0;
    const lzma_ret result =
        lzma_stream_buffer_decode(&memory_limit, 0, nullptr, in, &in_at, packed->size(),
                                  reinterpret_cast<std::uint8_t*>(out.data()), &out_at, out.size());
    if (result == LZMA_OK) {
      out.resize(out_at);
      return out;
    }
    if (result != LZMA_BUF_ERROR || size == kMaxInflated) return std::nullopt;
  }
}

}  // namespace ct
