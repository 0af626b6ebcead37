#include "target/loaded_modules.h"

#include <elf.h>

#include <algorithm>
#include <cerrno>

#include "base/hash.h"

namespace ct {
namespace {

constexpr std::string_view kVdso = "[vdso]";
constexpr std::size_t kMaxVdso = 64 << 10;  // two pages today

}  // namespace

Result<FileSource> LoadedModule::OpenFile(FileIdentity& identity) const {
  auto fd = process_.OpenMapped(mapping_.begin, mapping_.end);
  const bool lacks_capability = !fd && fd.error().code == ErrorCode::kPermission;
  if (lacks_capability) fd = process_.OpenBelowRoot(mapping_.path);
  if (!fd) return Fail(fd.error());
  struct stat status {};
  if (fstat(fd->get(), &status) != 0) return FailErrno("fstat of " + mapping_.path, errno);
  // Below the root the path may name another file by now.
  if (lacks_capability && (status.st_ino != mapping_.inode || status.st_dev != mapping_.device)) {
    return Fail(ErrorCode::kNotFound, mapping_.path + " is no longer the mapped file");
  }
  identity = FileIdentity::Of(status);
  return FileSource::Open(std::move(*fd));
}

bool LoadedModule::Load(FileCache& cache) {
  auto source = OpenFile(identity_);
  if (!source) return false;
  file_ = cache.Get(identity_, *source);
  return file_ != nullptr;
}

bool LoadedModule::LoadFromMemory(Memory& memory, const std::string& debug_root) {
  image_.resize(std::min<std::uint64_t>(mapping_.end - mapping_.begin, kMaxVdso));
  image_.resize(memory.Read(mapping_.begin, image_));
  BufferSource source(image_);
  auto elf = ElfFile::Read(source);
  if (!elf) return false;
  file_ = std::make_shared<CachedFile>(std::move(*elf), debug_root);
  return true;
}

std::unique_ptr<ByteSource> LoadedModule::Open() {
  if (!image_.empty()) return std::make_unique<BufferSource>(image_);
  FileIdentity now;
  auto source = OpenFile(now);
  if (!source || !(now == identity_)) return nullptr;
  return std::make_unique<FileSource>(std::move(*source));
}

std::size_t LoadedModules::Hash::operator()(const FileKey& key) const {
  return HashCombine(key.device, key.inode);
}

void LoadedModules::SetMappings(std::vector<Mapping> mappings) {
  mappings_ = std::move(mappings);
  slots_.assign(mappings_.size(), {});
  modules_.clear();
}

LoadedModule* LoadedModules::Find(const Mapping& mapping) {
  const bool is_vdso = mapping.path == kVdso;
  if (!mapping.HasFile() && !is_vdso) return nullptr;
  // Files that are no modules are remembered as well.
  const auto [found, is_new] = modules_.try_emplace({mapping.device, mapping.inode});
  if (is_new) {
    auto module = std::make_unique<LoadedModule>(process_, mapping);
    const bool loaded = is_vdso ? module->LoadFromMemory(memory_, cache_->options().debug_root)
                                : module->Load(*cache_);
    if (loaded) found->second = std::move(module);
  }
  return found->second.get();
}

const PlacedMapping& LoadedModules::Place(const Mapping& mapping) {
  Slot& slot = slots_[static_cast<std::size_t>(&mapping - mappings_.data())];
  if (slot.known) return slot.placed;
  slot.known = true;
  LoadedModule* module = Find(mapping);
  if (module == nullptr) return slot.placed;
  const auto bias = LoadBias(module->file().elf(), mapping.begin, mapping.file_offset,
                             mapping.executable, mapping.writable);
  if (bias) slot.placed = {module, *bias};
  return slot.placed;
}

PlacedMapping LoadedModules::PlaceData(const Mapping& mapping, std::uint64_t address) {
  if (mapping.HasFile()) return Place(mapping);
  if (!mapping.path.empty() || &mapping == mappings_.data()) return {};
  const Mapping& before = *(&mapping - 1);
  if (!before.HasFile() || before.end != mapping.begin) return {};
  const PlacedMapping& placed = Place(before);
  if (placed.module == nullptr) return {};
  const std::uint64_t vaddr = address - placed.bias;
  for (const ElfSegment& segment : placed.module->file().elf().segments) {
    const bool covers = segment.type == PT_LOAD && vaddr >= segment.vaddr &&
                        vaddr - segment.vaddr < segment.memory_size;
    if (covers) return placed;
  }
  return {};
}

}  // namespace ct
