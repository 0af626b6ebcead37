#include "target/cached_file.h"

#include <algorithm>
#include <string_view>

#include "target/debug_files.h"
#include "target/demangle.h"
#include "target/eh_frame.h"
#include "target/target.h"

namespace ct {
namespace {

constexpr std::size_t kMaxDescriptions = 1 << 16;

}  // namespace

CachedFile::CachedFile(ElfFile elf, std::string debug_root)
    : elf_(std::move(elf)), debug_root_(std::move(debug_root)) {}

UnwindTable* CachedFile::Unwinding(FileOpener& opener) {
  if (!unwinding_) {
    const auto source = opener.Open();
    if (source) unwinding_ = UnwindTable::Load(*source, elf_);
  }
  return unwinding_.get();
}

const SymbolTable* CachedFile::Symbols(FileOpener& opener) {
  if (!symbols_) {
    const auto source = opener.Open();
    if (!source) return nullptr;
    symbols_ = std::make_unique<SymbolTable>();
    VisitTables(*source, [&](const SymbolSource& table) {
      symbols_->Add(*table.source, *table.file, table.section);
    });
    symbols_->Finish();
  }
  return symbols_.get();
}

const FunctionNames* CachedFile::Named(std::span<const std::string> names, FileOpener& opener) {
  if (!named_) named_ = std::make_unique<FunctionNames>();
  if (named_->Knows(names)) return named_.get();
  const auto source = opener.Open();
  if (!source) return nullptr;
  named_->Find(
      names, [&](const FunctionNames::Visit& visit) { VisitTables(*source, visit); },
      FunctionStarts(opener));
  return named_.get();
}

const std::vector<std::uint64_t>& CachedFile::FunctionStarts(FileOpener& opener) {
  static const std::vector<std::uint64_t> kNone;
  if (!starts_) {
    const auto source = opener.Open();
    if (source == nullptr) return kNone;
    starts_ = ct::FunctionStarts(*source, elf_);
  }
  return *starts_;
}

void CachedFile::VisitTables(ByteSource& source,
                             const std::function<void(const SymbolSource&)>& visit) const {
  if (elf_.Section(".symtab") != nullptr) {
    visit({&source, &elf_, ".symtab"});
    return;
  }
  visit({&source, &elf_, ".dynsym"});
  if (auto debug = FindDebugFile(debug_root_, elf_.build_id)) {
    visit({&debug->source, &debug->elf, ".symtab"});
  } else if (auto bytes = MiniDebugInfo(source, elf_)) {
    BufferSource inner(std::move(*bytes));
    if (const auto inner_elf = ElfFile::Read(inner)) visit({&inner, &*inner_elf, ".symtab"});
  }
}

bool CachedFile::IsCLibrary() const {
  if (!symbols_) return false;
  const auto& functions = symbols_->functions();
  return std::any_of(functions.begin(), functions.end(), [](const Symbol& symbol) {
    return std::string_view(symbol.name).substr(0, 8) == "sem_wait";
  });
}

const InternalNames* CachedFile::Internal(FileOpener& opener) {
  if (!internal_ && symbols_) {
    internal_ = std::make_unique<InternalNames>();
    // Of other libraries the caller says less about what a function is for.
    const auto source = IsCLibrary() ? opener.Open() : nullptr;
    if (source) *internal_ = InternalNames::Load(*source, elf_, *symbols_);
  }
  return internal_.get();
}

SourceLines* CachedFile::Lines(FileOpener& opener) {
  if (lines_tried_) return lines_.get();
  const auto source = opener.Open();
  if (!source) return nullptr;
  lines_tried_ = true;
  lines_ = SourceLines::Load(*source, elf_);
  // Nobody asks at which line of libc a thread sleeps, and Debian's compressed debug file of libc
  // takes 100 ms to read.
  if (lines_ || (Symbols(opener) != nullptr && IsCLibrary())) return lines_.get();
  if (auto debug = FindDebugFile(debug_root_, elf_.build_id)) {
    lines_ = SourceLines::Load(debug->source, debug->elf);
  }
  return lines_.get();
}

std::string CachedFile::FunctionName(std::uint64_t vaddr, FileOpener& opener) {
  const SymbolTable* symbols = Symbols(opener);
  if (symbols == nullptr) return {};
  if (const Symbol* symbol = symbols->Function(vaddr)) return Demangle(symbol->name);
  const InternalNames* internal = Internal(opener);
  const char* name = internal != nullptr ? internal->NameFor(vaddr) : nullptr;
  return name != nullptr ? Demangle(name) + std::string(kInternalSuffix) : std::string();
}

const std::vector<SourcePlace>& CachedFile::Describe(std::uint64_t vaddr, bool source_lines,
                                                     FileOpener& opener) {
  if (descriptions_.size() >= kMaxDescriptions) descriptions_.clear();
  Description& description = descriptions_[vaddr];
  if (description.places.empty()) {
    description.places.push_back({FunctionName(vaddr, opener), {}, 0});
  }
  if (source_lines && !description.with_lines) {
    description.with_lines = true;
    SourceLines* lines = Lines(opener);
    auto places = lines != nullptr ? lines->Find(vaddr) : std::vector<SourcePlace>();
    if (!places.empty()) {
      places.back().function = std::move(description.places.back().function);
      description.places = std::move(places);
    }
  }
  return description.places;
}

std::size_t CachedFile::bytes() const {
  constexpr std::size_t kPerDescription = 256;
  std::size_t total = descriptions_.size() * kPerDescription;
  if (unwinding_) total += unwinding_->bytes();
  if (symbols_) total += symbols_->bytes();
  if (named_) total += named_->bytes();
  if (starts_) total += starts_->size() * sizeof(std::uint64_t);
  if (internal_) total += internal_->bytes();
  if (lines_) total += lines_->bytes();
  return total;
}

void CachedFile::Clear() {
  descriptions_.clear();
  lines_.reset();
  lines_tried_ = false;
  internal_.reset();
  named_.reset();
  starts_.reset();
  symbols_.reset();
  unwinding_.reset();
}

}  // namespace ct
