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

struct Counts {
  std::size_t cheap = 0;
  std::size_t dear = 0;
  std::size_t impossible = 0;
};

class Report {
 public:
  Report(const std::vector<CatalogFamily>& families, const CatalogQueries& queries,
         const std::vector<FunctionFound>& found)
      : families_(families), queries_(queries), found_(found) {
    for (const FunctionFound& function : found) {
      name_width_ = std::max(name_width_, function.site.function.size());
      module_width_ = std::max(module_width_, BaseName(function.site.module).size());
    }
    name_width_ = std::min(name_width_, kMaxNameWidth);
  }

  std::string Write() {
    std::string text;
    std::vector<std::string> absent;
    for (std::size_t i = 0; i < families_.size(); ++i) {
      const std::string lines = Family(i);
      if (lines.empty()) {
        absent.push_back(families_[i].name);
      } else {
        text += fmt::format("{} ({})\n{}\n", families_[i].name, families_[i].source, lines);
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
    std::string lines;
    std::vector<std::string> missing;
    for (std::size_t i = 0; i < queries_.entries.size(); ++i) {
      const CatalogEntry& entry = queries_.entries[i];
      if (entry.family != index) continue;
      const CatalogFunction& function = families_[index].functions[entry.function];
      const std::string of_function = Function(static_cast<std::uint32_t>(i), function);
      if (of_function.empty()) missing.push_back(function.name);
      lines += of_function;
    }
    if (lines.empty()) return lines;
    if (!missing.empty()) lines += fmt::format("  not here: {}\n", fmt::join(missing, ", "));
    return lines;
  }

  std::string Function(std::uint32_t query, const CatalogFunction& function) {
    std::string lines;
    for (const FunctionFound& found : found_) {
      if (found.query != query) continue;
      std::size_t& count = !found.why_not.empty() ? counts_.impossible
                           : IsCheap(found.site)  ? counts_.cheap
                                                  : counts_.dear;
      ++count;
      lines +=
          fmt::format("  {:<9} {:<{}}  {:<{}}  {}\n", ToText(function.role), found.site.function,
                      name_width_, BaseName(found.site.module), module_width_, Place(found));
    }
    return lines;
  }

  const std::vector<CatalogFamily>& families_;
  const CatalogQueries& queries_;
  const std::vector<FunctionFound>& found_;
  std::size_t name_width_ = 0;
  std::size_t module_width_ = 0;
  Counts counts_;
};

}  // namespace

std::string ReportProbes(const std::vector<CatalogFamily>& families, const CatalogQueries& queries,
                         const std::vector<FunctionFound>& found) {
  return Report(families, queries, found).Write();
}

}  // namespace ct
