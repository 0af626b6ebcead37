#include "probes/catalog.h"

#include <algorithm>

#include "probes/catalog_table.h"

namespace ct {
namespace {

constexpr std::size_t kMaxTextBytes = 1 << 20;
constexpr std::size_t kMaxFamilies = 256;
constexpr std::size_t kMaxFunctionsOfFamily = 64;
// A lock is not larger than a page.
constexpr std::int64_t kMaxWordOffset = 4096;
constexpr std::int64_t kLastArgument = 5;

bool Acquires(HoldRole role) { return role == HoldRole::kAcquire || role == HoldRole::kTryAcquire; }

// glibc, sysdeps/nptl/bits/thread-shared-types.h: int __lock; unsigned __count; int __owner
constexpr OwnerWord kGlibcMutex = {
    .has_state = true, .state_at = 0, .has_owner = true, .owner_at = 8, .is_glibc_mutex = true};

class FamilyReader {
 public:
  FamilyReader(std::string_view file, Mistakes& mistakes) : file_(file), mistakes_(mistakes) {}

  CatalogFamily Read(const toml::table& source) {
    CatalogTable table(source, "a family",
                       {"name", "files", "kind", "implementation", "type", "units", "capacity",
                        "owner", "function"},
                       mistakes_);
    family_ = {};
    family_.source = fmt::format("{}:{}", file_, table.line());
    if (const auto name = table.Text("name", true)) family_.name = *name;
    ReadFiles(table);
    family_.kind = table.Word<ResourceKind>("kind", true).value_or(ResourceKind::kPool);
    family_.implementation =
        table.Word<Implementation>("implementation", false).value_or(Implementation::kUnknown);
    family_.type = table.Text("type", false).value_or("");
    ReadUnits(table);
    if (const toml::node* owner = source.get("owner")) ReadOwner(table, *owner);
    ReadFunctions(table, source.get("function"));
    return std::move(family_);
  }

 private:
  void ReadFiles(CatalogTable& table) {
    auto files = table.Texts("files");
    if (!files) return;
    for (const std::string& file : *files) {
      if (file.find('/') != std::string::npos) {
        table.Note("files",
                   fmt::format("\"{}\" is a path: files are names, wherever they lie", file));
        return;
      }
    }
    family_.files = std::move(*files);
  }

  // Of an unknown kind: as of a pool, which may have all of it.
  void ReadUnits(CatalogTable& table) {
    const bool is_pool = family_.kind == ResourceKind::kPool;
    family_.has_units = table.Truth("units").value_or(false);
    family_.capacity =
        static_cast<std::uint32_t>(table.Number("capacity", 1, UINT32_MAX).value_or(0));
    if (!is_pool) table.Refuse("units", "is only for a pool");
    if (!is_pool && family_.kind != ResourceKind::kSemaphore) {
      table.Refuse("capacity", "is only for a pool or a semaphore");
    }
  }

  void ReadOwner(CatalogTable& family, const toml::node& node) {
    if (const auto* word = node.as_string()) {
      if (word->get() == "glibc mutex") {
        family_.owner = kGlibcMutex;
      } else {
        family.Note("owner", "owner is \"glibc mutex\" or a table with state_at, owner_at or both");
      }
      return;
    }
    const toml::table* source = node.as_table();
    if (source == nullptr || source->empty()) {
      family.Note("owner", "owner is \"glibc mutex\" or a table with state_at, owner_at or both");
      return;
    }
    CatalogTable table(*source, "an owner", {"state_at", "owner_at"}, mistakes_);
    if (const auto at = table.Number("state_at", -kMaxWordOffset, kMaxWordOffset)) {
      family_.owner.has_state = true;
      family_.owner.state_at = static_cast<std::int32_t>(*at);
    }
    if (const auto at = table.Number("owner_at", -kMaxWordOffset, kMaxWordOffset)) {
      family_.owner.has_owner = true;
      family_.owner.owner_at = static_cast<std::int32_t>(*at);
    }
  }

  void ReadFunctions(CatalogTable& table, const toml::node* node) {
    const toml::array* list = node == nullptr ? nullptr : node->as_array();
    if (list == nullptr || list->empty() || !list->is_homogeneous<toml::table>()) {
      table.Note("function", "a family needs at least one [[family.function]]");
      return;
    }
    if (list->size() > kMaxFunctionsOfFamily) {
      table.Note("function",
                 fmt::format("a family has at most {} functions", kMaxFunctionsOfFamily));
      return;
    }
    bool all_roles = true;
    for (const toml::node& entry : *list) {
      if (!ReadFunction(*entry.as_table())) all_roles = false;
    }
    if (!all_roles) return;
    const auto has = [&](auto matches) {
      return std::any_of(family_.functions.begin(), family_.functions.end(),
                         [&](const CatalogFunction& function) { return matches(function.role); });
    };
    if (!has(Acquires)) table.Note("name", "a family needs a function that acquires");
    if (!has([](HoldRole role) { return role == HoldRole::kRelease; })) {
      table.Note("name", "a family needs a function that releases");
    }
  }

  // False: its role is not known.
  bool ReadFunction(const toml::table& source) {
    CatalogTable table(source, "a function", {"name", "role", "mode", "key", "unit", "succeeds"},
                       mistakes_);
    CatalogFunction function;
    function.name = table.Text("name", true).value_or("");
    const auto role = table.Word<HoldRole>("role", true);
    function.role = role.value_or(HoldRole::kAcquire);
    function.mode = table.Word<AccessMode>("mode", false).value_or(AccessMode::kExclusive);
    function.key_argument =
        static_cast<std::uint32_t>(table.Number("key", 0, kLastArgument).value_or(0));
    function.unit_argument =
        static_cast<std::uint32_t>(table.Number("unit", 0, kLastArgument).value_or(1));
    ReadSuccess(table, function);
    if (role) RefuseWhatSaysNothing(table, function);
    const bool twice =
        std::any_of(family_.functions.begin(), family_.functions.end(),
                    [&](const CatalogFunction& other) { return other.name == function.name; });
    if (twice && !function.name.empty()) {
      table.Note("name", fmt::format("\"{}\" is twice in its family", function.name));
    }
    family_.functions.push_back(std::move(function));
    return role.has_value();
  }

  void ReadSuccess(CatalogTable& table, CatalogFunction& function) {
    Success success;
    // A pool that throws when nothing comes free is the usual one.
    if (family_.kind == ResourceKind::kPool && Acquires(function.role)) {
      success.rule = SuccessRule::kReturnValue;
    }
    success = table.Word<Success>("succeeds", false).value_or(success);
    function.success = success.rule;
    function.succeeds = success.value;
    if (success.rule == SuccessRule::kOwnerWord && !family_.owner.has_owner) {
      table.Note("succeeds", "succeeds is \"owner\", and the family has no owner_at");
    }
    if (family_.has_units && Acquires(function.role) && success.rule != SuccessRule::kReturnValue) {
      table.Note("succeeds", "in a pool with units, what an acquire returns is the unit");
    }
  }

  void RefuseWhatSaysNothing(CatalogTable& table, const CatalogFunction& function) const {
    const bool waits = Acquires(function.role) || function.role == HoldRole::kConditionWait;
    if (!waits) {
      table.Refuse("succeeds", "is only for what acquires");
      table.Refuse("mode", "is only for what acquires");
    }
    if (function.role != HoldRole::kRelease || !family_.has_units) {
      table.Refuse("unit", "is only for the release of a pool with units");
    }
  }

  std::string_view file_;
  Mistakes& mistakes_;
  CatalogFamily family_;
};

tl::unexpected<Error> Malformed(std::string_view file, std::uint32_t line, std::string_view what) {
  return Fail(ErrorCode::kMalformed, fmt::format("{}:{}: {}", file, line, what));
}

void ReadFamilies(const toml::table& root, std::string_view file, Mistakes& mistakes,
                  std::vector<CatalogFamily>& families) {
  CatalogTable table(root, "a catalog", {"family"}, mistakes);
  const toml::node* node = root.get("family");
  const toml::array* list = node == nullptr ? nullptr : node->as_array();
  if (list == nullptr || list->empty() || !list->is_homogeneous<toml::table>()) {
    table.Note("family", "a catalog needs at least one [[family]]");
    return;
  }
  if (list->size() > kMaxFamilies) {
    table.Note("family", fmt::format("a catalog has at most {} families", kMaxFamilies));
    return;
  }
  FamilyReader reader(file, mistakes);
  for (const toml::node& entry : *list) {
    CatalogFamily family = reader.Read(*entry.as_table());
    const auto same =
        std::find_if(families.begin(), families.end(),
                     [&](const CatalogFamily& other) { return other.name == family.name; });
    if (same != families.end() && !family.name.empty()) {
      mistakes.Note(entry.source(),
                    fmt::format("\"{}\" is there already ({})", family.name, same->source));
    }
    families.push_back(std::move(family));
  }
}

}  // namespace

Result<std::vector<CatalogFamily>> ParseCatalog(std::string_view text, std::string_view file) {
  if (text.size() > kMaxTextBytes) return Malformed(file, 1, "longer than 1 MiB");
  std::vector<CatalogFamily> families;
  Mistakes mistakes;
  try {
    const toml::table root = toml::parse(text);
    ReadFamilies(root, file, mistakes, families);
  } catch (const toml::parse_error& error) {
    return Malformed(file, std::max<std::uint32_t>(error.source().begin.line, 1),
                     error.description());
  }
  if (!mistakes.empty()) return Malformed(file, mistakes.line(), mistakes.what());
  return families;
}

std::vector<CatalogFamily> Override(std::vector<CatalogFamily> families,
                                    std::vector<CatalogFamily> later) {
  for (CatalogFamily& family : later) {
    const auto same =
        std::find_if(families.begin(), families.end(),
                     [&](const CatalogFamily& other) { return other.name == family.name; });
    if (same != families.end()) {
      *same = std::move(family);
    } else {
      families.push_back(std::move(family));
    }
  }
  return families;
}

}  // namespace ct
