#include "render/finding_text.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "model/names.h"
#include "render/forgotten_text.h"
#include "render/gil_text.h"
#include "render/holds_text.h"
#include "render/inversion_text.h"
#include "render/labels.h"
#include "render/loop_text.h"
#include "render/pool_text.h"
#include "render/table.h"
#include "render/words.h"

namespace ct {
namespace {

// Of each list; the rest is counted. With `full` there is room for more.
constexpr std::size_t kRows = 16;
constexpr std::size_t kFullRows = 1000;
constexpr std::size_t kMaxLine = 400;  // bytes of a proof or advice line
constexpr std::size_t kTextWidth = 100;

bool IsDeadlock(FindingKind kind) {
  return kind == FindingKind::kDeadlock || kind == FindingKind::kProbableDeadlock;
}

bool IsOfUses(FindingKind kind) {
  return kind == FindingKind::kSharedObject || kind == FindingKind::kThreadLocalInTasks;
}

class Writer {
 public:
  Writer(TextContext& context, const Finding& finding)
      : context_(context),
        finding_(finding),
        principals_(ct::Principals(context, finding)),
        pool_(PoolOf(context, finding)) {}

  std::string Write();

 private:
  // Principals that do the same at the same place, told once.
  struct Group {
    std::vector<ActorIndex> actors;
    std::vector<std::vector<std::string>> rows;  // without the name
  };
  // Those who only wait, at one place for one resource.
  struct Crowd {
    ResourceIndex resource = kNoIndex;
    Place place;
    std::vector<ActorIndex> actors;
    TimeNs since = 0;  // of the oldest
  };

  [[nodiscard]] std::size_t Limit() const { return context_.options.full ? kFullRows : kRows; }
  [[nodiscard]] std::string Headline() const;
  [[nodiscard]] std::string Processes() const;
  [[nodiscard]] std::string RootLines() const;
  [[nodiscard]] std::string KernelLine(ActorIndex actor) const;
  [[nodiscard]] std::string AbandonedLines();
  std::string PrincipalRows();
  [[nodiscard]] std::vector<Crowd> Crowds() const;  // the most crowded place first
  std::string BehindRows();
  std::string Legend();
  std::string ProofLines() const;
  std::string Closing() const;

  void FindWanted();
  std::vector<std::string> WaitRow(ActorIndex actor);
  std::vector<std::string> HoldRow(ActorIndex actor, const Hold& hold);
  void AddUseRows(ActorIndex actor, std::vector<std::vector<std::string>>& rows);
  std::vector<std::vector<std::string>> RowsOf(ActorIndex actor);

  TextContext& context_;
  const Finding& finding_;
  const std::vector<ActorIndex> principals_;
  const ResourceIndex pool_;        // kNoIndex: it is not about one pool
  std::set<ResourceIndex> wanted_;  // somebody in this finding waits for it
  Labels labels_;
  bool under_ = false;  // a line says "under"
};

std::string Writer::Headline() const {
  std::string what = CountActors(context_, finding_.members);
  const std::string resources = CountResources(context_, finding_.resources);
  const bool own = IsDeadlock(finding_.kind) && finding_.members.size() == 1 &&
                   finding_.ring.size() == 1 && finding_.resources.size() == 1 &&
                   context_.HasResource(finding_.resources.front());
  if (own) {
    const auto kind = context_.graph.resource(finding_.resources.front()).kind;
    what += fmt::format(" waits for a {} that it holds itself", ToString(kind));
  } else if (!resources.empty()) {
    what += ", " + resources;
  }
  if (pool_ != kNoIndex) what = PoolHeadline(context_, finding_, pool_);
  const char* color = finding_.kind == FindingKind::kDeadlock ? kRed : kYellow;
  if (IsOfUses(finding_.kind)) {  // nothing waits, so nothing has to end
    return fmt::format("{}  {}   {}\n", context_.Paint(ToString(finding_.kind), color), what,
                       ToString(finding_.evidence));
  }
  return fmt::format("{}  {}   {} · {} · {}\n", context_.Paint(ToString(finding_.kind), color),
                     what, ToString(finding_.evidence), EndingInShort(context_, finding_),
                     context_.Age(finding_.since));
}

std::string Writer::Processes() const {
  std::vector<const Process*> processes;
  std::set<const Process*> seen;
  const auto add = [&](ActorIndex actor) {
    const Process* process = context_.ProcessOf(actor);
    if (process != nullptr && seen.insert(process).second) processes.push_back(process);
  };
  for (const ActorIndex actor : principals_) add(actor);
  for (const ActorIndex actor : finding_.members) add(actor);
  std::string text;
  for (std::size_t i = 0; i < std::min(processes.size(), Limit()); ++i) {
    text += (i == 0 ? "  " : "\n  ") + DescribeProcess(*processes[i]);
  }
  if (processes.size() > Limit()) {
    text += fmt::format("\n  and {}", Plural(processes.size() - Limit(), "more process"));
  }
  const std::size_t behind = finding_.blocked_behind.size();
  if (behind > 0) {
    std::string who = CountActors(context_, finding_.blocked_behind);
    who.insert(who.find(' '), " more");
    text += fmt::format("{}{} {} behind", text.empty() ? "  " : "; ", who,
                        behind == 1 ? "waits" : "wait");
  }
  return text.empty() ? text : text + '\n';
}

// The innermost functions of the kernel stack.
std::string Writer::KernelLine(ActorIndex actor) const {
  const StackIndex index = context_.graph.actor(actor).kernel_stack;
  if (index < 0 || static_cast<std::size_t>(index) >= context_.observation.stacks.size()) return {};
  std::string line;
  int shown = 0;
  for (const Frame& frame : context_.observation.stacks[static_cast<std::size_t>(index)].frames) {
    if (shown == 4) break;
    if (frame.function.empty()) continue;
    line += (line.empty() ? "" : " < ") + CleanText(frame.function, 64);
    ++shown;
  }
  return line.empty() ? line : fmt::format("    in the kernel: {}\n", line);
}

std::string Writer::RootLines() const {
  if (!context_.HasActor(finding_.root)) return {};
  const ct::Actor& root = context_.graph.actor(finding_.root);
  std::string text =
      fmt::format("  root: {} {}", context_.Who(finding_.root), context_.Doing(finding_.root));
  if (root.state != RunState::kRunning && root.off_cpu_since != 0) {
    text += fmt::format(", off CPU for {}", context_.Age(root.off_cpu_since));
  }
  text += '\n';
  if (root.state == RunState::kUninterruptible) text += KernelLine(finding_.root);
  return text;
}

std::string Writer::AbandonedLines() {
  std::string text;
  for (const ResourceIndex index : finding_.resources) {
    if (!context_.HasResource(index)) continue;
    const Resource& resource = context_.graph.resource(index);
    const auto say = [&](std::string_view why) {
      const std::string owner = resource.abandoned_by != 0
                                    ? fmt::format("its owner, {},", resource.abandoned_by)
                                    : "its owner";
      text += fmt::format("  {} cannot be unlocked: {} {}\n", labels_.Of(index), owner, why);
    };
    switch (resource.abandoned) {
      case Abandoned::kNo:
        break;
      case Abandoned::kUnreferenced:
        if (resource.kind != ResourceKind::kMutex) break;
        text += fmt::format(
            "  {} is locked, nobody has it, and nothing releases it without having taken it "
            "first\n",
            labels_.Of(index));
        if (!resource.where.empty()) {
          text += fmt::format("  taken without a with block: {}\n",
                              CleanText(resource.where, kMaxLine));
        }
        break;
      case Abandoned::kOwnerExited:
        say("has ended while it held it");
        break;
      case Abandoned::kInheritedOverFork:
        say("is a thread of the parent, which fork did not copy");
        break;
      case Abandoned::kTidReused:
        say("has ended, and its tid belongs to a younger thread");
        break;
    }
  }
  return text;
}

// Everything that a member, or somebody behind, waits for.
void Writer::FindWanted() {
  wanted_.insert(finding_.resources.begin(), finding_.resources.end());
  for (const auto* actors : {&finding_.members, &finding_.blocked_behind, &principals_}) {
    for (const ActorIndex actor : *actors) {
      if (const Wait* wait = context_.WaitOf(actor)) wanted_.insert(wait->resource);
    }
  }
}

std::vector<std::string> Writer::WaitRow(ActorIndex actor) {
  const Wait* wait = context_.WaitOf(actor);
  if (wait == nullptr) return {};
  const ct::Actor& who = context_.graph.actor(actor);
  const Place& place = context_.frames.Innermost(who.user_stack);
  const TimeNs since = finding_.kind == FindingKind::kStuckTask
                           ? std::min(wait->since, wait->unmoved_since.value_or(wait->since))
                           : wait->since;
  std::string what = fmt::format("waits {} {}", labels_.Of(wait->resource), context_.Age(since));
  if (wait->mode == AccessMode::kShared) what += " (shared)";
  std::string location = place.location;
  if (IsHeldBack(who.state)) location += fmt::format("  [{}]", ToString(who.state));
  return {what, place.function, location + DoubtOf(wait->evidence)};
}

std::vector<std::string> Writer::HoldRow(ActorIndex actor, const Hold& hold) {
  const ct::Actor& who = context_.graph.actor(actor);
  std::string what = "holds " + labels_.Of(hold.resource);
  if (hold.mode == AccessMode::kShared) what += " (shared)";
  if (hold.since) what += fmt::format(" taken {} ago", context_.Age(*hold.since));
  const std::string doubt = DoubtOf(hold.evidence);
  if (context_.HasResource(hold.resource) &&
      context_.graph.resource(hold.resource).kind == ResourceKind::kThreadExit) {
    return {fmt::format("its exit is {}", labels_.Of(hold.resource)), "", doubt};
  }
  if (context_.HasResource(hold.resource) &&
      context_.graph.resource(hold.resource).kind == ResourceKind::kFuture) {
    const char* const how =
        who.kind == ActorKind::kTask ? "{} awaits its end" : "is to complete {}";
    return {fmt::format(fmt::runtime(how), labels_.Of(hold.resource)), "", doubt};
  }
  if (context_.HasResource(hold.resource) &&
      context_.graph.resource(hold.resource).kind == ResourceKind::kEventLoop) {
    return {fmt::format("runs {}", labels_.Of(hold.resource)), "", doubt};
  }
  if (hold.acquired_at != kNoIndex) {
    const Place& place = context_.frames.Innermost(hold.acquired_at);
    std::string how = who.kind == ActorKind::kTask ? "in " : "from ";
    if (hold.since) how.clear();  // "taken 11m08s ago  Ledger::post"
    return {what, how + place.function, place.location + doubt};
  }
  const bool waits = context_.WaitOf(actor) != nullptr;
  const Place& place =
      waits ? context_.frames.Around(who.user_stack) : context_.frames.Innermost(who.user_stack);
  // "Under" the line where it waits would say nothing new.
  const bool same = waits && place == context_.frames.Innermost(who.user_stack);
  if (same || place.function.empty()) return {what, "", doubt};
  under_ = true;
  return {what, "under " + place.function, place.location + doubt};
}

void Writer::AddUseRows(ActorIndex actor, std::vector<std::vector<std::string>>& rows) {
  for (const Use& use : context_.observation.uses) {
    if (use.actor != actor || !wanted_.contains(use.resource)) continue;
    const Place& place = context_.frames.Innermost(use.at);
    const std::string label = labels_.Of(use.resource);
    const std::string doubt = DoubtOf(use.evidence);
    if (use.kind == UseKind::kInside) {
      rows.push_back({"is inside " + label, "in " + place.function, place.location + doubt});
    } else {
      rows.push_back(
          {fmt::format("has stored {}.{}", label, CleanText(use.attribute, 64)),
           "in " + place.function,
           fmt::format("{}, reads it at line {}{}", place.location, use.read_line, doubt)});
    }
  }
}

std::vector<std::vector<std::string>> Writer::RowsOf(ActorIndex actor) {
  std::vector<std::vector<std::string>> rows;
  if (IsOfUses(finding_.kind)) {
    AddUseRows(actor, rows);
    return rows;
  }
  if (auto row = WaitRow(actor); !row.empty()) rows.push_back(std::move(row));
  std::set<ResourceIndex> told;
  for (const HoldIndex index : context_.graph.HoldsOf(actor)) {
    const Hold& hold = context_.graph.hold(index);
    if (rows.size() > Limit()) break;
    if (!wanted_.contains(hold.resource) || !told.insert(hold.resource).second) continue;
    rows.push_back(HoldRow(actor, hold));
  }
  const std::string created = CreatedText(context_, context_.graph.actor(actor).created_at);
  if (!rows.empty() && !created.empty()) rows.push_back({created});
  return rows;
}

std::string Writer::PrincipalRows() {
  std::vector<Group> groups;
  std::map<std::pair<std::string, std::vector<std::vector<std::string>>>, std::size_t> known;
  for (const ActorIndex actor : principals_) {
    auto rows = RowsOf(actor);
    if (rows.empty()) continue;
    const std::string& request = context_.graph.actor(actor).request;
    const auto [entry, added] = known.try_emplace({request, rows}, groups.size());
    if (added) groups.push_back({{}, std::move(rows)});
    groups[entry->second].actors.push_back(actor);
  }
  Table table(2);
  for (std::size_t i = 0; i < std::min(groups.size(), Limit()); ++i) {
    std::string name = NameActors(context_, groups[i].actors);
    for (auto& row : groups[i].rows) {
      row.insert(row.begin(), std::exchange(name, ""));
      table.Add(std::move(row));
    }
  }
  std::string text = table.Print();
  if (groups.size() > Limit()) text += fmt::format("  and {} more\n", groups.size() - Limit());
  return text.empty() ? text : '\n' + text;
}

std::vector<Writer::Crowd> Writer::Crowds() const {
  const std::set<ActorIndex> told(principals_.begin(), principals_.end());
  std::map<std::pair<ResourceIndex, Place>, Crowd> crowds;
  for (const auto* actors : {&finding_.members, &finding_.blocked_behind}) {
    for (const ActorIndex actor : *actors) {
      const Wait* wait = context_.WaitOf(actor);
      if (wait == nullptr || told.contains(actor)) continue;
      Place place = context_.frames.Innermost(context_.graph.actor(actor).user_stack);
      place.location += DoubtOf(wait->evidence);
      Crowd& crowd = crowds[{wait->resource, place}];
      if (crowd.actors.empty()) crowd = {wait->resource, place, {}, wait->since};
      crowd.actors.push_back(actor);
      crowd.since = std::min(crowd.since, wait->since);
    }
  }
  std::vector<Crowd> ordered;
  ordered.reserve(crowds.size());
  for (auto& [key, crowd] : crowds) ordered.push_back(std::move(crowd));
  std::stable_sort(ordered.begin(), ordered.end(), [](const Crowd& a, const Crowd& b) {
    return a.actors.size() > b.actors.size();
  });
  return ordered;
}

std::string Writer::BehindRows() {
  const std::vector<Crowd> crowds = Crowds();
  const std::size_t digits = crowds.empty() ? 0 : std::to_string(crowds[0].actors.size()).size();
  Table table(2);
  const std::size_t shown = std::min(crowds.size(), Limit());
  for (const Crowd& crowd : std::span(crowds).first(shown)) {
    std::string who = NameActors(context_, crowd.actors);
    if (crowd.actors.size() > 1) {
      who.insert(0, digits - std::to_string(crowd.actors.size()).size(), ' ');
    }
    if (!crowd.place.function.empty()) who += " in " + crowd.place.function;
    const std::string label = labels_.Of(crowd.resource);
    if (principals_.empty()) {
      const std::string age = context_.Age(crowd.since);
      table.Add({fmt::format("wait for {} {}: {}", label, age, who), crowd.place.location});
    } else {
      table.Add({fmt::format("behind {}: {}", label, who), crowd.place.location});
    }
  }
  std::string text = table.Print();
  if (crowds.size() > shown) {
    text += fmt::format("  and at {}\n", Plural(crowds.size() - shown, "more place"));
  }
  if (principals_.empty() && !text.empty()) text.insert(0, "\n");
  return text;
}

std::string Writer::Legend() {
  for (const ResourceIndex resource : finding_.resources) labels_.Of(resource);
  std::string text;
  std::string line;
  const std::size_t shown = std::min(labels_.in_order().size(), 2 * Limit());
  for (std::size_t i = 0; i < shown; ++i) {
    const ResourceIndex resource = labels_.in_order()[i];
    const std::string entry = labels_.Of(resource) + " " + context_.What(resource);
    if (!line.empty() && Width(line) + Width(entry) + 5 > kTextWidth) {
      text += "  " + std::exchange(line, "") + '\n';
    }
    line += (line.empty() ? "" : "   ") + entry;
  }
  if (!line.empty()) text += "  " + line + '\n';
  return text.empty() ? text : '\n' + text;
}

std::string Writer::ProofLines() const {
  std::string text;
  const std::size_t shown = std::min(finding_.proof.size(), Limit());
  for (std::size_t i = 0; i < shown; ++i) {
    text += (i == 0 ? "  proof: " : "         ") + CleanText(finding_.proof[i], kMaxLine) + '\n';
  }
  if (finding_.proof.size() > shown) {
    text += fmt::format("         and {}\n", Plural(finding_.proof.size() - shown, "more line"));
  }
  return text;
}

std::string Writer::Closing() const {
  std::string text;
  if (under_) {
    text +=
        "  'under': the holder is still inside this call; where it took the lock is seen with "
        "--holds only\n";
  }
  text += ProofLines();
  const std::string end = EndingSentence(context_, finding_);
  std::string advice = CleanText(finding_.advice, kMaxLine);
  if (!advice.empty() && !advice.ends_with('.')) advice += '.';
  if (Width(end) + Width(advice) + 3 <= kTextWidth) {
    if (end.empty() && advice.empty()) return text;
    return text + fmt::format("  {}{}{}\n", end, end.empty() || advice.empty() ? "" : " ", advice);
  }
  return text + (end.empty() ? "" : "  " + end + '\n') + "  " + advice + '\n';
}

std::string Writer::Write() {
  FindWanted();
  std::string text = Headline() + Processes() + RootLines();
  if (pool_ != kNoIndex) return text + PoolRows(context_, finding_, pool_) + Closing();
  if (finding_.kind == FindingKind::kAbandonedLock) text += AbandonedLines();
  text += PrincipalRows();
  text += BehindRows();
  text += Legend();
  return text + Closing();
}

}  // namespace

std::vector<ActorIndex> Principals(const TextContext& context, const Finding& finding) {
  std::vector<ActorIndex> principals;
  std::set<ActorIndex> seen;
  const auto add = [&](ActorIndex actor) {
    if (context.HasActor(actor) && seen.insert(actor).second) principals.push_back(actor);
  };
  for (const auto* steps : {&finding.ring, &finding.chain}) {
    for (const RingStep& step : *steps) {
      if (const Wait* wait = context.WaitAt(step.wait)) add(wait->actor);
    }
  }
  if (finding.kind == FindingKind::kStuckTask) {
    for (const ActorIndex member : finding.members) add(member);
  }
  add(finding.root);
  if (IsOfUses(finding.kind)) {
    for (const ActorIndex member : finding.members) add(member);
  } else if (IsDeadlock(finding.kind)) {
    for (const ActorIndex member : finding.members) {
      if (context.HasActor(member) && !context.graph.HoldsOf(member).empty()) add(member);
    }
  } else if (principals.empty()) {
    for (const ResourceIndex resource : finding.resources) {
      if (!context.HasResource(resource)) continue;
      for (const HoldIndex hold : context.graph.HoldersOf(resource)) {
        add(context.graph.hold(hold).actor);
      }
    }
  }
  return principals;
}

std::string FindingText(TextContext& context, const Finding& finding) {
  if (finding.kind == FindingKind::kSwallowedException ||
      finding.kind == FindingKind::kNeverAwaited) {
    return ForgottenText(context, finding);
  }
  if (finding.kind == FindingKind::kEventLoopBlocked) return BlockedLoopText(context, finding);
  if (finding.kind == FindingKind::kGilContention) return GilText(context, finding);
  if (finding.kind == FindingKind::kLockOrderInversion) return InversionText(context, finding);
  if (finding.kind == FindingKind::kLongHold) return LongHoldText(context, finding);
  return Writer(context, finding).Write();
}

}  // namespace ct
