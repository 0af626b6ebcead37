#include "target/live_target.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "target/demangle.h"
#include "target/language.h"

namespace ct {
namespace {

// vm.max_map_count is 65530 by default and 1048576 on hosts of large JVMs and databases.
constexpr std::size_t kMaxMappings = 1 << 20;
constexpr std::size_t kMaxMapsText = 128 << 20;

// Functions that nobody called, in libraries that do not say so by call frame information.
constexpr std::array<std::string_view, 9> kThreadStarts = {"_start",
                                                           "_start_c",
                                                           "__clone",
                                                           "clone",
                                                           "_rt0_amd64_linux",
                                                           "runtime.mstart",
                                                           "runtime.goexit",
                                                           "runtime.goexit.abi0",
                                                           "runtime.rt0_go.abi0"};

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// glibc cuts its thread arenas out of 64 MiB regions (HEAP_MAX_SIZE in malloc/arena.c): a readable
// part that begins at such a boundary and a reserved part up to the next.
bool IsArena(std::span<const Mapping> mappings, const Mapping& mapping) {
  constexpr std::uint64_t kHeapMaxSize = 64 << 20;
  if (mapping.begin % kHeapMaxSize != 0 || !mapping.writable) return false;
  if (&mapping == &mappings.back()) return false;
  const Mapping& next = *(&mapping + 1);
  return next.begin == mapping.end && !next.readable && next.end % kHeapMaxSize == 0;
}

// pthread_create puts the guard below the stack.
bool IsThreadStack(std::span<const Mapping> mappings, const Mapping& mapping) {
  if (&mapping == mappings.data() || !mapping.writable) return false;
  const Mapping& guard = *(&mapping - 1);
  constexpr std::uint64_t kMaxGuard = 64 << 10;
  return guard.end == mapping.begin && !guard.readable && !guard.writable && guard.path.empty() &&
         guard.end - guard.begin <= kMaxGuard;
}

Status CheckMachine(const ProcDir& process) {
  auto executable = process.OpenExecutable();
  if (!executable && executable.error().code == ErrorCode::kNotFound) {
    return Fail(ErrorCode::kUnsupported, "a kernel thread or a process without an executable");
  }
  if (!executable) return Fail(executable.error());
  auto source = FileSource::Open(std::move(*executable));
  if (!source) return Fail(source.error());
  // The mappings decide what can be unwound; here only another machine is told early.
  const auto elf = ElfFile::Read(*source);
  if (!elf && elf.error().code == ErrorCode::kUnsupported) return Fail(elf.error());
  return {};
}

}  // namespace

Result<std::unique_ptr<Target>> Target::Open(pid_t pid, std::shared_ptr<FileCache> cache) {
  const std::string context = fmt::format("process {}", pid);
  auto process = ProcDir::Open(pid);
  if (!process) return Fail(process.error().With(context));
  if (const Status status = CheckMachine(*process); !status) {
    return Fail(status.error().With(context));
  }
  auto target = std::make_unique<LiveTarget>(pid, std::move(*process), std::move(cache));
  if (const Status status = target->Refresh(); !status) return Fail(status.error().With(context));
  return target;
}

LiveTarget::LiveTarget(pid_t pid, ProcDir process, std::shared_ptr<FileCache> cache)
    : pid_(pid),
      process_(std::move(process)),
      memory_(pid),
      cache_(std::move(cache)),
      loaded_(process_, memory_, cache_) {}

Status LiveTarget::Refresh() {
  cache_->Trim();
  auto maps = process_.ReadFile("maps", kMaxMapsText);
  if (!maps) return Fail(maps.error().With("maps"));
  if (*maps == maps_) return {};
  maps_ = std::move(*maps);
  loaded_.SetMappings(ParseMaps(maps_, kMaxMappings));
  language_.reset();
  return {};
}

const Mapping* LiveTarget::FindMapping(std::uint64_t address) const {
  return ct::FindMapping(loaded_.mappings(), address);
}

PlacedMapping LiveTarget::PlaceAt(std::uint64_t address) {
  const Mapping* mapping = FindMapping(address);
  return mapping != nullptr ? loaded_.Place(*mapping) : PlacedMapping();
}

Code LiveTarget::Find(std::uint64_t pc) {
  const Mapping* mapping = FindMapping(pc);
  if (mapping == nullptr || !mapping->executable) return {};
  const PlacedMapping& placed = loaded_.Place(*mapping);
  if (placed.module == nullptr) {
    return {.kind = mapping->HasFile() ? CodeKind::kFile : CodeKind::kAnonymous};
  }
  CachedFile& file = placed.module->file();
  return {.kind = file.elf().is_go ? CodeKind::kGoFile : CodeKind::kFile,
          .vaddr = pc - placed.bias,
          .table = file.Unwinding(*placed.module)};
}

const Symbol* LiveTarget::FunctionAt(std::uint64_t pc, std::uint64_t& bias) {
  const PlacedMapping placed = PlaceAt(pc);
  if (placed.module == nullptr) return nullptr;
  const SymbolTable* symbols = placed.module->file().Symbols(*placed.module);
  bias = placed.bias;
  return symbols != nullptr ? symbols->Function(pc - bias) : nullptr;
}

std::uint64_t LiveTarget::FunctionStart(std::uint64_t pc) {
  std::uint64_t bias = 0;
  const Symbol* symbol = FunctionAt(pc, bias);
  return symbol != nullptr ? symbol->address + bias : 0;
}

bool LiveTarget::IsThreadStart(std::uint64_t pc) {
  std::uint64_t bias = 0;
  const Symbol* symbol = FunctionAt(pc, bias);
  return symbol != nullptr &&
         std::find(kThreadStarts.begin(), kThreadStarts.end(), symbol->name) != kThreadStarts.end();
}

ModuleIndex LiveTarget::IndexOf(LoadedModule& module) {
  if (module.index != kNoIndex) return module.index;
  Module description = module.Describe();
  const auto found = std::find(modules_.begin(), modules_.end(), description);
  module.index = static_cast<ModuleIndex>(found - modules_.begin());
  if (found == modules_.end()) modules_.push_back(std::move(description));
  return module.index;
}

void LiveTarget::AppendFrames(const RawFrame& raw, bool source_lines, UnwoundStack& out) {
  Frame frame;
  frame.address = raw.pc;
  frame.guessed = raw.guessed;
  const Mapping* mapping = FindMapping(raw.lookup_pc);
  const PlacedMapping placed = mapping != nullptr ? loaded_.Place(*mapping) : PlacedMapping();
  if (placed.module == nullptr) {
    const bool is_jit = mapping != nullptr && mapping->executable && !mapping->HasFile();
    if (is_jit) {
      frame.origin = FrameOrigin::kJit;
      frame.function = perf_map_.Find(raw.lookup_pc, process_);
    }
    out.stack.frames.push_back(std::move(frame));
    out.cfa.push_back(raw.cfa);
    return;
  }
  frame.module = IndexOf(*placed.module);
  frame.module_offset = raw.pc - placed.bias;
  const auto& places =
      placed.module->file().Describe(raw.lookup_pc - placed.bias, source_lines, *placed.module);
  for (const SourcePlace& place : places) {
    frame.function = place.function;
    frame.file = place.file;
    frame.line = place.line;
    frame.inlined = &place != &places.back();
    out.stack.frames.push_back(frame);
    out.cfa.push_back(raw.cfa);
  }
}

UnwoundStack LiveTarget::Unwind(const Registers& registers, const StackOptions& options) {
  UnwoundStack out;
  const RawStack raw = UnwindStack(registers, options.memory != nullptr ? *options.memory : memory_,
                                   *this, options.max_frames);
  out.stack.end = raw.end;
  out.stack.frames.reserve(raw.frames.size());
  out.cfa.reserve(raw.frames.size());
  for (const RawFrame& frame : raw.frames) AppendFrames(frame, options.source_lines, out);
  return out;
}

std::optional<std::string> LiveTarget::DataSymbol(std::uint64_t address) {
  const Mapping* mapping = FindMapping(address);
  if (mapping == nullptr || mapping->executable) return std::nullopt;
  const PlacedMapping placed = loaded_.PlaceData(*mapping, address);
  if (placed.module == nullptr) return std::nullopt;
  const SymbolTable* symbols = placed.module->file().Symbols(*placed.module);
  const std::uint64_t vaddr = address - placed.bias;
  const Symbol* symbol = symbols != nullptr ? symbols->Object(vaddr) : nullptr;
  if (symbol == nullptr) return std::nullopt;
  std::string name = Demangle(symbol->name);
  if (vaddr != symbol->address) name += fmt::format("+{:#x}", vaddr - symbol->address);
  return name;
}

std::optional<std::uint64_t> LiveTarget::ObjectNamed(const Mapping& mapping,
                                                     std::string_view symbol) {
  const PlacedMapping& placed = loaded_.Place(mapping);
  if (placed.module == nullptr) return std::nullopt;
  const SymbolTable* symbols = placed.module->file().Symbols(*placed.module);
  const Symbol* found = symbols != nullptr ? symbols->ObjectNamed(symbol) : nullptr;
  if (found == nullptr) return std::nullopt;
  return found->address + placed.bias;
}

std::optional<std::uint64_t> LiveTarget::SectionNamed(const Mapping& mapping,
                                                      std::string_view section) {
  const PlacedMapping& placed = loaded_.Place(mapping);
  if (placed.module == nullptr) return std::nullopt;
  const ElfSection* found = placed.module->file().elf().Section(section);
  if (found == nullptr || (found->flags & SHF_ALLOC) == 0) return std::nullopt;
  return found->address + placed.bias;
}

std::optional<FunctionPlace> LiveTarget::FunctionBeginningAt(std::uint64_t address) {
  const Mapping* mapping = FindMapping(address);
  if (mapping == nullptr || !mapping->executable || !mapping->HasFile()) return std::nullopt;
  const PlacedMapping& placed = loaded_.Place(*mapping);
  if (placed.module == nullptr) return std::nullopt;
  const auto& starts = placed.module->file().FunctionStarts(*placed.module);
  if (!std::binary_search(starts.begin(), starts.end(), address - placed.bias)) return std::nullopt;
  return FunctionPlace{mapping->begin, mapping->end,
                       address - mapping->begin + mapping->file_offset,
                       placed.module->identity().inode};
}

NamedFunctions LiveTarget::FunctionsNamed(std::span<const FunctionQuery> queries) {
  return FindNamedFunctions(loaded_, process_.ReadLink("exe").value_or(""), queries);
}

std::string LiveTarget::DescribeAddress(std::uint64_t address) {
  const Mapping* mapping = FindMapping(address);
  if (mapping == nullptr) return "unmapped memory";
  const PlacedMapping placed = loaded_.PlaceData(*mapping, address);
  if (placed.module != nullptr) {
    const ElfSection* section = placed.module->file().elf().SectionAt(address - placed.bias);
    const std::string module = placed.module->Describe().path;
    const std::string place = section != nullptr ? section->name : "data";
    return fmt::format("{} of {}", place, BaseName(module));
  }
  if (mapping->path == "[heap]" || IsArena(mappings(), *mapping)) return "heap";
  if (mapping->path == "[stack]") return "stack";
  if (!mapping->path.empty()) return mapping->path;
  return IsThreadStack(mappings(), *mapping) ? "thread stack" : "anonymous memory";
}

std::string LiveTarget::Language() {
  if (!language_) language_ = FindLanguage();
  return *language_;
}

std::string LiveTarget::FindLanguage() {
  const std::string executable = process_.ReadLink("exe").value_or("");
  if (std::string runtime = LanguageOfRuntime(mappings(), executable); !runtime.empty()) {
    return runtime;
  }
  for (const Mapping& mapping : mappings()) {
    const bool is_executable = mapping.HasFile() && (mapping.path == executable ||
                                                     mapping.path + " (deleted)" == executable);
    if (!is_executable) continue;
    const PlacedMapping& placed = loaded_.Place(mapping);
    if (placed.module == nullptr) continue;
    return LanguageOfFile(placed.module->file(), *placed.module);
  }
  return {};
}

}  // namespace ct
