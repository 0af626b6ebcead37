// Which ELF file is behind each mapping of one process, and at which bias.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "model/frame.h"
#include "target/file_cache.h"
#include "target/mapping.h"
#include "target/memory.h"
#include "target/proc_dir.h"

namespace ct {

// One ELF file that the process has mapped, opened through the process and nowhere else.
class LoadedModule final : public FileOpener {
 public:
  LoadedModule(const ProcDir& process, Mapping mapping)
      : process_(process), mapping_(std::move(mapping)) {}

  // False if it is no ELF file or cannot be opened.
  bool Load(FileCache& cache);
  // The same for the vdso, which has no file.
  bool LoadFromMemory(Memory& memory, const std::string& debug_root);
  std::unique_ptr<ByteSource> Open() override;

  [[nodiscard]] CachedFile& file() const { return *file_; }
  [[nodiscard]] const FileIdentity& identity() const { return identity_; }
  [[nodiscard]] Module Describe() const {
    return {mapping_.path, file_->elf().build_id, mapping_.deleted};
  }
  ModuleIndex index = kNoIndex;  // in the target's table, once a frame has named it

 private:
  Result<FileSource> OpenFile(FileIdentity& identity) const;
  const ProcDir& process_;
  Mapping mapping_;  // one of those of this file
  FileIdentity identity_;
  Bytes image_;  // of the vdso
  std::shared_ptr<CachedFile> file_;
};

// A mapping that lies in a module.
struct PlacedMapping {
  LoadedModule* module = nullptr;  // nullptr: no ELF file behind it
  std::uint64_t bias = 0;          // address - bias = address in the ELF file
};

class LoadedModules {
 public:
  LoadedModules(const ProcDir& process, Memory& memory, std::shared_ptr<FileCache> cache)
      : process_(process), memory_(memory), cache_(std::move(cache)) {}

  void SetMappings(std::vector<Mapping> mappings);
  [[nodiscard]] const std::vector<Mapping>& mappings() const { return mappings_; }
  // What is behind a mapping of mappings(); opened when first asked for.
  const PlacedMapping& Place(const Mapping& mapping);
  // Like Place, and also finds the module whose .bss an anonymous mapping is.
  PlacedMapping PlaceData(const Mapping& mapping, std::uint64_t address);

 private:
  struct Slot {
    bool known = false;
    PlacedMapping placed;
  };
  struct FileKey {
    std::uint64_t device;
    std::uint64_t inode;
    bool operator==(const FileKey&) const = default;
  };
  struct Hash {
    std::size_t operator()(const FileKey& key) const;
  };
  LoadedModule* Find(const Mapping& mapping);

  const ProcDir& process_;
  Memory& memory_;
  std::shared_ptr<FileCache> cache_;
  std::vector<Mapping> mappings_;
  std::vector<Slot> slots_;  // one a mapping
  std::unordered_map<FileKey, std::unique_ptr<LoadedModule>, Hash> modules_;
};

}  // namespace ct
