#include "cli/probes_report.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ct {
namespace {

// A longer name moves its own line's columns only.
constexpr std::size_t kMaxNameWidth = 48;

std::string_view ToText(HoldRole role) {
  switch (role) {
    case HoldRole::kAcquire:
      return "acquires";
    case HoldRole::kTryAcquire:
      return "tries";
    case HoldRole::kRelease:
      return "releases";
    case HoldRole::kConditionWait:
      return "waits";
    case HoldRole::kBegin:
      return "begins";
    case HoldRole::kEnd:
      return "ends";
  }
  return "";
}

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Single-stepped instructions cost most of what a probe costs; returns always are.
bool IsCheap(const ProbeSite& site) { return site.emulated && site.returns.empty(); }

std::string Place(const FunctionFound& function) {
  if (!function.why_not.empty()) return "-       cannot be probed: " + function.why_not;
  const ProbeSite& site = function.site;
  std::string text = fmt::format("{:<8}{}", IsCheap(site) ? "cheap" : "dear", site.why);
  if (!site.returns.empty()) {
    text += fmt::format("; and {} return instruction{}, single-stepped", site.returns.size(),
                        site.returns.size() == 1 ? "" : "s");
  }
  return text;
}

bool IsOfUser(const CatalogFamily& family) { return family.source == "--pool"; }

struct Counts {
  std::size_t cheap = 0;
  std::size_t dear = 0;
  std::size_t impossible = 0;
};

// One function in the table.
struct Row {
  std::string_view role;
  std::string function;
  std::string_view module;
  std::string place;
};

std::string Table(const std::vector<Row>& rows) {
  std::size_t name_width = 0;
  std::size_t module_width = 0;
  for (const Row& row : rows) {
    name_width = std::max(name_width, row.function.size());
    module_width = std::max(module_width, row.module.size());
  }
  name_width = std::min(name_width, kMaxNameWidth);
  std::string text;
  for (const Row& row : rows) {
    text += fmt::format("  {:<9} {:<{}}  {:<{}}  {}\n", row.role, row.function, name_width,
                        row.module, module_width, row.place);
  }
  return text;
}

class Report {
 public:
  Report(const std::vector<CatalogFamily>& families, const CatalogQueries& queries,
         const std::vector<FunctionFound>& found)
      : families_(families), queries_(queries), found_(found) {}

  std::string Write() {
    std::string text;
    std::vector<std::string> absent;
    for (std::size_t i = 0; i < families_.size(); ++i) {
      const CatalogFamily& family = families_[i];
      const std::string lines = Family(i);
      if (!lines.empty()) {
        text += fmt::format("{} ({})\n{}\n", family.name, family.source, lines);
      } else if (IsOfUser(family)) {
        text += fmt::format("{} ({})\n  not here: no file {} with such functions is mapped\n\n",
                            family.name, family.source, fmt::join(family.files, ", "));
      } else {
        absent.push_back(family.name);
      }
    }
    if (!absent.empty()) text += fmt::format("Nothing here of: {}\n", fmt::join(absent, ", "));
    text += fmt::format("{} functions: {} cheap, {} dear, {} cannot be probed\n", found_.size(),
                        counts_.cheap, counts_.dear, counts_.impossible);
    if (counts_.cheap + counts_.dear > 0) {
      text +=
          "cheap: the kernel emulates the instruction that is probed; dear: it is single-stepped,\n"
          "which costs up to 40 times as much for each call\n";
    }
    return text;
  }

 private:
  // Empty if nothing of it is in the process.
  std::string Family(std::size_t index) {
    std::vector<Row> rows;
    std::vector<std::string> missing;
    for (std::size_t i = 0; i < queries_.entries.size(); ++i) {
      const CatalogEntry& entry = queries_.entries[i];
      if (entry.family != index) continue;
      const CatalogFunction& function = families_[index].functions[entry.function];
      const std::size_t before = rows.size();
      AddRows(static_cast<std::uint32_t>(i), function, rows);
      if (rows.size() == before) missing.push_back(function.name);
    }
    if (rows.empty()) return {};
    std::string text = Table(rows);
    if (!missing.empty()) text += fmt::format("  not here: {}\n", fmt::join(missing, ", "));
    return text;
  }

  void AddRows(std::uint32_t query, const CatalogFunction& function, std::vector<Row>& rows) {
    for (const FunctionFound& found : found_) {
      if (found.query != query) continue;
      std::size_t& count = !found.why_not.empty() ? counts_.impossible
                           : IsCheap(found.site)  ? counts_.cheap
                                                  : counts_.dear;
      ++count;
      const auto same_name = std::count_if(found_.begin(), found_.end(), [&](const auto& other) {
        return other.query == query && other.site.function == found.site.function;
      });
      // Versions of one symbol, and local functions of one name.
      const std::string which =
          same_name > 1 ? fmt::format(" (at {:#x})", found.site.function_offset) : "";
      rows.push_back({ToText(function.role), found.site.function + which,
                      BaseName(found.site.module), Place(found)});
    }
  }

  const std::vector<CatalogFamily>& families_;
  const CatalogQueries& queries_;
  const std::vector<FunctionFound>& found_;
  Counts counts_;
};

}  // namespace

std::string ReportProbes(const std::vector<CatalogFamily>& families, const CatalogQueries& queries,
                         const std::vector<FunctionFound>& found) {
  return Report(families, queries, found).Write();
}

bool IsComplete(const std::vector<CatalogFamily>& families, const CatalogQueries& queries,
                const std::vector<FunctionFound>& found) {
  std::vector<bool> there(queries.entries.size(), false);
  for (const FunctionFound& function : found) {
    if (!function.why_not.empty()) return false;
    there[function.query] = true;
  }
  for (std::size_t i = 0; i < there.size(); ++i) {
    if (!there[i] && IsOfUser(families[queries.entries[i].family])) return false;
  }
  return true;
}

}  // namespace ct
