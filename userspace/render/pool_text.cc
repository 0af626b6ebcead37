#include "render/pool_text.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "model/names.h"
#include "render/table.h"
#include "render/words.h"

namespace ct {
namespace {

constexpr std::size_t kRows = 16;  // of each list; the rest is counted
constexpr std::size_t kFullRows = 1000;
constexpr std::size_t kMaxName = 64;  // bytes
constexpr std::size_t kMaxReferrer = 160;

// Of the libraries that are known: what their units are.
std::string_view UnitOf(const Resource& pool) {
  const bool library = pool.type.ends_with(" pool") || pool.type.ends_with(" connector");
  return library ? "connection" : "unit";
}

bool EndsInPool(const TextContext& context, ActorIndex actor, ResourceIndex pool) {
  const Wait* wait = context.WaitOf(actor);
  return wait != nullptr && wait->resource == pool;
}

class Writer {
 public:
  Writer(TextContext& context, const Finding& finding, ResourceIndex pool)
      : context_(context), finding_(finding), pool_(pool) {}

  std::string Write() {
    const std::string holders = HolderRows();
    const std::string queued = QueuedRows() + Growth();
    const std::string lost = LostRows();
    return '\n' + holders + queued + lost + '\n';
  }

 private:
  struct Group {
    std::vector<ActorIndex> actors;
    std::vector<std::vector<std::string>> rows;
    std::optional<TimeNs> oldest;  // unit that they have, where it is known since when
  };
  [[nodiscard]] std::size_t Limit() const { return context_.options.full ? kFullRows : kRows; }

  // "task refresh-prices", "8 x order", "8 x GET /orders/{id}": what those of one kind are named
  // after.
  [[nodiscard]] std::string NameOf(const std::vector<ActorIndex>& actors) const {
    if (actors.size() == 1) return context_.Who(actors.front());
    std::string stem = StemOf(actors.front());
    for (const ActorIndex actor : actors) {
      if (StemOf(actor) != stem) stem.clear();
    }
    if (stem.empty() || stem == "Task") return CountActors(context_, actors);
    return fmt::format("{} x {}", actors.size(), stem);
  }

  [[nodiscard]] std::string StemOf(ActorIndex actor) const {
    const std::string& request = context_.graph.actor(actor).request;
    if (!request.empty()) return CleanText(request, kMaxName);
    std::string name = CleanText(context_.graph.actor(actor).name, kMaxName);
    name.erase(name.find_last_not_of("0123456789") + 1);
    name.erase(name.find_last_not_of("-_ #") + 1);
    return name;
  }

  std::vector<std::string> WaitRow(ActorIndex actor) {
    const Wait* wait = context_.WaitOf(actor);
    const Place& place = context_.frames.Innermost(context_.graph.actor(actor).user_stack);
    if (wait == nullptr) return {context_.Doing(actor), place.function, place.location};
    std::string what = "waits for another";
    if (wait->resource != pool_) what = "waits for " + context_.What(wait->resource);
    return {std::move(what), place.function, place.location + DoubtOf(wait->evidence)};
  }

  std::vector<std::vector<std::string>> RowsOf(ActorIndex actor) {
    std::map<std::pair<std::string, std::string>, std::size_t> places;
    for (const HoldIndex index : context_.graph.HoldsOf(actor)) {
      const Hold& hold = context_.graph.hold(index);
      if (hold.resource != pool_) continue;
      const Place& place = context_.frames.Innermost(hold.acquired_at);
      ++places[{place.function, place.location + DoubtOf(hold.evidence)}];
    }
    const std::string_view unit = UnitOf(context_.graph.resource(pool_));
    std::vector<std::vector<std::string>> rows;
    rows.reserve(places.size() + 1);
    for (const auto& [place, count] : places) {
      rows.push_back({count == 1 ? fmt::format("holds a {}", unit) : "holds " + Plural(count, unit),
                      place.first, place.second});
    }
    rows.push_back(WaitRow(actor));
    const std::string created = CreatedText(context_, context_.graph.actor(actor).created_at);
    if (!created.empty()) rows.push_back({created});
    return rows;
  }

  [[nodiscard]] std::optional<TimeNs> OldestUnit(ActorIndex actor) const {
    std::optional<TimeNs> oldest;
    for (const HoldIndex index : context_.graph.HoldsOf(actor)) {
      const Hold& hold = context_.graph.hold(index);
      if (hold.resource != pool_ || !hold.since) continue;
      oldest = std::min(*hold.since, oldest.value_or(*hold.since));
    }
    return oldest;
  }

  std::string HolderRows() {
    std::vector<Group> groups;
    std::map<std::pair<std::string, std::vector<std::vector<std::string>>>, std::size_t> known;
    for (const HoldIndex index : context_.graph.HoldersOf(pool_)) {
      const ActorIndex actor = context_.graph.hold(index).actor;
      if (!holders_.insert(actor).second) continue;
      auto rows = RowsOf(actor);
      const std::string& request = context_.graph.actor(actor).request;
      const auto [entry, added] = known.try_emplace({request, rows}, groups.size());
      if (added) groups.push_back({{}, std::move(rows), std::nullopt});
      Group& group = groups[entry->second];
      group.actors.push_back(actor);
      if (const std::optional<TimeNs> since = OldestUnit(actor)) {
        group.oldest = std::min(*since, group.oldest.value_or(*since));
      }
    }
    for (Group& group : groups) {
      if (!group.oldest) continue;
      group.rows.front().front() += fmt::format(
          " taken {}{} ago", group.actors.size() > 1 ? "up to " : "", context_.Age(*group.oldest));
    }
    std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
      return a.actors.size() > b.actors.size();
    });
    return Print(groups);
  }

  std::string Print(std::vector<Group>& groups) {
    // One table, so that all places stand in one column; the names stand between its rows.
    Table table(6);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < std::min(groups.size(), Limit()); ++i) {
      names.push_back(NameOf(groups[i].actors));
      for (auto& row : groups[i].rows) table.Add(std::move(row));
    }
    const std::string printed = table.Print();
    std::string text;
    std::size_t at = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
      text += fmt::format("  {}\n", names[i]);
      for (std::size_t row = 0; row < groups[i].rows.size(); ++row) {
        const std::size_t end = std::min(printed.find('\n', at), printed.size());
        text += printed.substr(at, end - at) + '\n';
        at = std::min(end + 1, printed.size());
      }
    }
    if (groups.size() > names.size()) {
      text += fmt::format("  and {} more\n", groups.size() - names.size());
    }
    return text;
  }

  // The task of a request whose endpoint runs in a thread: that is told for it.
  [[nodiscard]] bool IsTold(ActorIndex actor) const {
    const std::string& request = context_.graph.actor(actor).request;
    const Wait* wait = context_.WaitOf(actor);
    if (request.empty() || wait == nullptr) return false;
    const auto holds = context_.graph.HoldersOf(wait->resource);
    if (holds.size() != 1) return false;
    const Actor& holder = context_.graph.actor(context_.graph.hold(holds.front()).actor);
    return holder.kind == ActorKind::kThread && holder.request == request;
  }

  // Who waits for a unit and has none, by place; then who waits for those.
  std::string QueuedRows() {
    struct Crowd {
      std::vector<ActorIndex> actors;
      Place place;
    };
    std::map<std::tuple<bool, Place, std::string>, Crowd> crowds;
    for (const auto* actors : {&finding_.members, &finding_.blocked_behind}) {
      for (const ActorIndex actor : *actors) {
        if (holders_.contains(actor) || !context_.HasActor(actor)) continue;
        if (IsTold(actor)) continue;
        const Place& place = context_.frames.Innermost(context_.graph.actor(actor).user_stack);
        Crowd& crowd = crowds[{!EndsInPool(context_, actor, pool_), place, StemOf(actor)}];
        crowd.place = place;
        crowd.actors.push_back(actor);
      }
    }
    Table table(2);
    std::size_t shown = 0;
    bool first = true;
    for (const auto& [key, crowd] : crowds) {
      if (shown++ == Limit()) break;
      const bool behind = std::get<0>(key);
      const char* what = behind ? "behind them:" : "queued, holding nothing:";
      if (!behind && !std::exchange(first, false)) what = "";
      table.Add({what, NameOf(crowd.actors), crowd.place.function, crowd.place.location});
    }
    std::string text = table.Print();
    if (crowds.size() > Limit()) {
      text += fmt::format("  and at {}\n", Plural(crowds.size() - Limit(), "more place"));
    }
    return text;
  }

  [[nodiscard]] std::string Growth() const {
    const auto& before = context_.graph.resource(pool_).queue_before;
    const std::size_t waiting = context_.graph.WaitersOf(pool_).size();
    if (!before || before->waiting >= waiting) return {};
    return fmt::format("  the queue grows: {} waited {} ago, {} do now\n", before->waiting,
                       FormatDuration(context_.observation.end - before->at), waiting);
  }

  std::string LostRows() const {
    const Resource& pool = context_.graph.resource(pool_);
    Table table(2);
    const std::size_t shown = std::min(pool.lost_units.size(), Limit());
    for (std::size_t i = 0; i < shown; ++i) {
      const LostUnit& unit = pool.lost_units[i];
      const std::string referrer = CleanText(unit.referrer, kMaxReferrer);
      table.Add(
          {fmt::format("in use, held by nobody: {} {:#x}", UnitOf(pool), unit.address),
           referrer.empty() ? "nothing was found that refers to it" : "still in " + referrer});
    }
    return table.Print();
  }

  TextContext& context_;
  const Finding& finding_;
  const ResourceIndex pool_;
  std::set<ActorIndex> holders_;
};

}  // namespace

ResourceIndex PoolOf(const TextContext& context, const Finding& finding) {
  ResourceIndex pool = kNoIndex;
  for (const ResourceIndex index : finding.resources) {
    if (!context.HasResource(index)) return kNoIndex;
    const Resource& resource = context.graph.resource(index);
    const ResourceKind kind = resource.kind;
    const bool is_pool =
        kind == ResourceKind::kPool || (kind == ResourceKind::kSemaphore && resource.in_use);
    if (is_pool && pool == kNoIndex) {
      pool = index;
    } else if (kind != ResourceKind::kFuture) {
      return kNoIndex;
    }
  }
  return pool;
}

std::string PoolHeadline(const TextContext& context, const Finding& finding, ResourceIndex pool) {
  const Resource& resource = context.graph.resource(pool);
  std::string text =
      CleanText(resource.type.empty() ? ToString(resource.kind) : resource.type, kMaxName);
  if (!resource.symbol.empty()) text += " " + CleanText(resource.symbol, kMaxName);
  if (resource.in_use) {
    text += fmt::format(" {}/{}", *resource.in_use,
                        resource.capacity ? std::to_string(*resource.capacity) : "?");
  }
  std::set<ActorIndex> holders;
  std::size_t waiting = 0;
  for (const HoldIndex index : context.graph.HoldersOf(pool)) {
    const ActorIndex actor = context.graph.hold(index).actor;
    if (holders.insert(actor).second && EndsInPool(context, actor, pool)) ++waiting;
  }
  if (finding.kind == FindingKind::kPoolLeak) {
    return text +
           fmt::format(": {} held by nobody", Plural(resource.lost_units.size(), UnitOf(resource)));
  }
  if (finding.kind == FindingKind::kPoolExhausted) {
    return text + fmt::format(": {} for it", finding.members.size() == 1
                                                 ? "1 waits"
                                                 : fmt::format("{} wait", finding.members.size()));
  }
  if (holders.size() == 1) return text + ": its only holder waits for it";
  if (waiting == holders.size()) {
    return text + fmt::format(": all {} holders wait for it", holders.size());
  }
  return text + fmt::format(": none of its {} holders can go on", holders.size());
}

std::string PoolRows(TextContext& context, const Finding& finding, ResourceIndex pool) {
  return Writer(context, finding, pool).Write();
}

}  // namespace ct
