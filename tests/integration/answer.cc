#include "tests/integration/answer.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <utility>

#include <google/protobuf/util/json_util.h>

namespace ct::test {
namespace {

// RESOURCE_KIND_RW_LOCK -> "rw lock".
template <class Enum>
std::string Word(const std::string& (*name)(Enum), Enum value, const std::string& prefix) {
  std::string word = name(value).substr(prefix.size() + 1);
  for (char& letter : word) {
    letter = letter == '_' ? ' ' : static_cast<char>(std::tolower(letter));
  }
  return word;
}

std::string BaseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Reads one snapshot; every index is checked, because what is asserted here is what users get.
class Describer {
 public:
  explicit Describer(const v1::Snapshot& snapshot) : snapshot_(snapshot) {}

  std::string Describe(const v1::Finding& finding) const {
    std::string text = v1::FindingKind_Name(finding.kind()).substr(sizeof("FINDING_KIND"));
    text += " " + Word(v1::Evidence_Name, finding.evidence(), "EVIDENCE") + ", ";
    text += Ending(finding) + "\n";
    for (const std::string& line : Grouped(finding.members(), &Describer::Member)) {
      text += "  " + line + "\n";
    }
    if (finding.ring_size() > 0) text += "  ring: " + Steps(finding.ring(), true) + "\n";
    if (finding.chain_size() > 0) text += "  chain: " + Steps(finding.chain(), false) + "\n";
    if (finding.has_root()) text += "  root: " + Root(ActorAt(finding.root())) + "\n";
    for (const std::string& line : Grouped(finding.exceptions(), &Describer::Exception)) {
      text += "  " + line + "\n";
    }
    for (const std::uint32_t index : finding.never_awaited())
      text += "  " + Unawaited(index) + "\n";
    for (const std::string& line : Grouped(finding.loop_blocks(), &Describer::Block)) {
      text += "  " + line + "\n";
    }
    for (const std::string& line : Orders(finding)) text += "  " + line + "\n";
    for (const std::string& line : Grouped(finding.long_holds(), &Describer::LongHold)) {
      text += "  " + line + "\n";
    }
    std::string behind;
    for (const std::string& name : Grouped(finding.blocked_behind(), &Describer::Name)) {
      behind += (behind.empty() ? "" : ", ") + name;
    }
    if (!behind.empty()) text += "  behind: " + behind + "\n";
    if (IsDeadlock(finding) && finding.proof_size() == 0) text += "  without proof\n";
    return text;
  }

  std::string WaitsOf(pid_t pid) const {
    Strings lines;
    for (const v1::Wait& wait : snapshot_.waits()) {
      const v1::Actor& actor = ActorAt(wait.actor());
      if (!actor.has_process() || ProcessAt(actor.process()).id().tid() != pid) continue;
      const v1::Resource& resource = ResourceAt(wait.resource());
      lines.push_back(Name(wait.actor()) + ": " + Kind(resource) + ", " +
                      Word(v1::Implementation_Name, resource.implementation(), "IMPLEMENTATION"));
    }
    std::sort(lines.begin(), lines.end());
    return Lines(lines);
  }

 private:
  template <class Rows>
  static const auto& Row(const Rows& rows, std::uint32_t index, const char* table) {
    if (index >= static_cast<std::uint32_t>(rows.size())) {
      throw std::runtime_error(std::string("the snapshot refers to a missing row of ") + table);
    }
    return rows.Get(static_cast<int>(index));
  }
  const v1::Actor& ActorAt(std::uint32_t i) const { return Row(snapshot_.actors(), i, "actors"); }
  const v1::Process& ProcessAt(std::uint32_t i) const {
    return Row(snapshot_.processes(), i, "processes");
  }
  const v1::Resource& ResourceAt(std::uint32_t i) const {
    return Row(snapshot_.resources(), i, "resources");
  }
  const v1::Wait& WaitAt(std::uint32_t i) const { return Row(snapshot_.waits(), i, "waits"); }
  const v1::Hold& HoldAt(std::uint32_t i) const { return Row(snapshot_.holds(), i, "holds"); }
  std::string String(std::uint32_t i) const { return Row(snapshot_.strings(), i, "strings"); }

  static bool IsDeadlock(const v1::Finding& finding) {
    return finding.kind() == v1::FINDING_KIND_DEADLOCK ||
           finding.kind() == v1::FINDING_KIND_PROBABLE_DEADLOCK;
  }

  static std::string Ending(const v1::Finding& finding) {
    switch (finding.ending()) {
      case v1::ENDING_NEVER:
        return "never ends";
      case v1::ENDING_UNLESS_SIGNALLED:
        return "unless signalled";
      case v1::ENDING_TIMEOUT:
        return finding.has_ends_at_ns() ? "ends by timeout" : "ends by timeout, unknown when";
      case v1::ENDING_MAY_END:
        return "may end";
      default:
        return "without ending";
    }
  }

  // Equal lines once, with their count, sorted.
  template <class Actors>
  Strings Grouped(const Actors& actors,
                  std::string (Describer::*line_of)(std::uint32_t) const) const {
    std::map<std::string, int> counts;
    for (const std::uint32_t actor : actors) ++counts[(this->*line_of)(actor)];
    Strings lines;
    for (const auto& [line, count] : counts) {
      lines.push_back(count == 1 ? line : std::to_string(count) + " x " + line);
    }
    return lines;
  }

  std::string Name(std::uint32_t actor) const {
    const std::string request = String(ActorAt(actor).request());
    return request.empty() ? String(ActorAt(actor).name()) : request;
  }

  std::string Kind(const v1::Resource& resource) const {
    return Word(v1::ResourceKind_Name, resource.kind(), "RESOURCE_KIND");
  }

  std::string Label(const v1::Resource& resource) const {
    const std::string symbol = String(resource.symbol());
    return Kind(resource) + (symbol.empty() ? "" : " " + symbol);
  }

  static std::string Guess(v1::Evidence evidence) {
    if (evidence == v1::EVIDENCE_CERTAIN) return "";
    return evidence == v1::EVIDENCE_PROBABLE ? "probably " : "perhaps ";
  }

  std::string Holders(std::uint32_t resource) const {
    Strings names;
    for (const v1::Hold& hold : snapshot_.holds()) {
      if (hold.resource() != resource) continue;
      names.push_back(Guess(hold.evidence()) + Name(hold.actor()) + Taken(hold));
    }
    std::sort(names.begin(), names.end());
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? " held by " : " and ") + name;
    return text;
  }

  // Where acquires were followed: the line of this one.
  std::string Taken(const v1::Hold& hold) const {
    if (!snapshot_.observations(0).has_holds_since_ns()) return "";
    return " (" + (hold.has_acquired_at() ? PlaceOf(hold.acquired_at()) : "no line") + ")";
  }

  std::string Member(std::uint32_t index) const {
    const v1::Actor& actor = ActorAt(index);
    std::string text = Name(index);
    const auto wait = std::find_if(snapshot_.waits().begin(), snapshot_.waits().end(),
                                   [&](const v1::Wait& each) { return each.actor() == index; });
    if (wait == snapshot_.waits().end()) return text + " waits for nothing";
    const v1::Resource& resource = ResourceAt(wait->resource());
    text += " " + Guess(wait->evidence()) + "waits for " + Label(resource);
    if (wait->timed()) text += " with timeout";
    text += Holders(wait->resource());
    if (resource.abandoned() != v1::ABANDONED_NO) {
      text += " abandoned: " + Word(v1::Abandoned_Name, resource.abandoned(), "ABANDONED");
    }
    return text + " at " + Place(actor) + State(actor);
  }

  std::string State(const v1::Actor& actor) const {
    if (actor.state() == v1::RUN_STATE_SLEEPING) return "";
    return ", " + Word(v1::RunState_Name, actor.state(), "RUN_STATE");
  }

  std::string Root(const v1::Actor& actor) const {
    std::string text =
        String(actor.name()) + " " + Word(v1::RunState_Name, actor.state(), "RUN_STATE");
    if (actor.has_syscall() && !String(actor.syscall().name()).empty()) {
      text += " in " + String(actor.syscall().name());
    }
    return text + " at " + Place(actor);
  }

  std::string HasIt(std::uint32_t referrer) const {
    const std::string name = String(referrer);
    return name.empty() ? "" : "; " + name + " has it";
  }

  std::string Exception(std::uint32_t index) const {
    const v1::SwallowedException& row =
        Row(snapshot_.swallowed_exceptions(), index, "swallowed_exceptions");
    std::string text = row.is_task() ? "task " + String(row.name()) : "future";
    text += ": " + String(row.type()) + " '" + String(row.message()) + "'";
    if (row.has_raised_at()) text += " at " + PlaceOf(row.raised_at());
    if (row.has_created_at()) text += ", created at " + PlaceOf(row.created_at());
    return text + HasIt(row.referrer());
  }

  std::string Unawaited(std::uint32_t index) const {
    const v1::NeverAwaited& row = Row(snapshot_.never_awaited(), index, "never_awaited");
    return std::to_string(row.count()) + " at " + PlaceOf(row.function()) + HasIt(row.referrer());
  }

  // "3 x syscall 'clock_nanosleep' at app.py:9 in task report".
  std::string Block(std::uint32_t index) const {
    const v1::LoopBlock& row = Row(snapshot_.loop_blocks(), index, "loop_blocks");
    std::string text = std::to_string(row.count()) + " x ";
    text += Word(v1::BlockCause_Name, row.cause(), "BLOCK_CAUSE");
    if (const std::string detail = String(row.detail()); !detail.empty()) {
      text += " '" + detail + "'";
    }
    if (row.has_stack()) text += " at " + PlaceOf(row.stack());
    if (const std::string task = String(row.task()); !task.empty()) text += " in task " + task;
    return text + (row.in_progress() ? ", still" : "");
  }

  // A ring of orders, beginning with its smallest line. Each lock that is wanted must be the next
  // one that is had, and each step somebody else's.
  Strings Orders(const v1::Finding& finding) const {
    Strings lines;
    std::set<std::pair<std::int32_t, std::int64_t>> threads;
    const int size = finding.orders_size();
    for (int i = 0; i < size; ++i) {
      const v1::OrderStep& step = finding.orders(i);
      const v1::LockOrder& order = Row(snapshot_.lock_orders(), step.order(), "lock_orders");
      const v1::LockOrder& next =
          Row(snapshot_.lock_orders(), finding.orders((i + 1) % size).order(), "lock_orders");
      const v1::LockOrderSighting& seen = Row(order.sightings(), step.sighting(), "sightings");
      if (order.wanted() != next.held()) return {"broken at step " + std::to_string(i)};
      if (!threads.emplace(seen.thread().tid(), seen.thread().start_ns()).second) {
        return {"one thread twice: " + String(seen.thread_name())};
      }
      lines.push_back(Order(order, seen));
    }
    if (size > 0) {
      std::rotate(lines.begin(), std::min_element(lines.begin(), lines.end()), lines.end());
    }
    return lines;
  }

  std::string Order(const v1::LockOrder& order, const v1::LockOrderSighting& seen) const {
    std::string text = String(seen.thread_name()) + " has " + Label(ResourceAt(order.held())) +
                       Mode(seen.held_mode()) + " of " +
                       (seen.has_held_at() ? PlaceOf(seen.held_at()) : "no line") + ", wants " +
                       Label(ResourceAt(order.wanted())) + Mode(seen.wanted_mode()) + " at " +
                       (seen.has_wanted_at() ? PlaceOf(seen.wanted_at()) : "no line");
    Strings guards;
    for (const std::uint32_t guard : seen.guards()) guards.push_back(Label(ResourceAt(guard)));
    std::sort(guards.begin(), guards.end());
    for (const std::string& guard : guards) text += ", under " + guard;
    return text;
  }

  static std::string Mode(v1::AccessMode mode) {
    return mode == v1::ACCESS_MODE_SHARED ? " (shared)" : "";
  }

  std::string LongHold(std::uint32_t index) const {
    const v1::LongHold& hold = Row(snapshot_.long_holds(), index, "long_holds");
    std::string text = String(hold.thread_name()) + (hold.ended() ? " had " : " has ") +
                       Guess(hold.evidence()) + Label(ResourceAt(hold.resource())) +
                       Mode(hold.mode()) + " from " +
                       (hold.has_acquired_at() ? PlaceOf(hold.acquired_at()) : "no line");
    if (!hold.ended()) return text;
    return text + " to " + (hold.has_released_at() ? PlaceOf(hold.released_at()) : "no line");
  }

  std::string Place(const v1::Actor& actor) const {
    return actor.has_user_stack() ? PlaceOf(actor.user_stack()) : "no stack";
  }

  // The innermost frame that is the target's own: its line, or its module where there is no line.
  std::string PlaceOf(std::uint32_t index) const {
    const v1::Stack& stack = Row(snapshot_.stacks(), index, "stacks");
    std::string place;
    std::string module;
    for (const std::uint32_t at : stack.frames()) {
      const v1::Frame& frame = Row(snapshot_.frames(), at, "frames");
      if (place.empty()) place = OwnLine(frame);
      if (module.empty()) module = OwnModule(frame);
    }
    if (place.empty()) place = module.empty() ? "no frame of its own" : module;
    if (stack.end() == v1::STACK_END_COMPLETE) return place;
    return place + " (stack " + Word(v1::StackEnd_Name, stack.end(), "STACK_END") + ")";
  }

  std::string OwnLine(const v1::Frame& frame) const {
    if (!frame.has_function()) return "";
    const v1::Function& function = Row(snapshot_.functions(), frame.function(), "functions");
    const std::string path = String(function.file());
    if (frame.of_pool()) return "";
    if (path.find("tests/targets/") == std::string::npos) return "";
    const std::string file = BaseName(path);
    // What targets share is nobody's own line.
    return file.ends_with(".h") ? "" : file + ":" + std::to_string(frame.line());
  }

  std::string OwnModule(const v1::Frame& frame) const {
    if (!frame.has_module()) return "";
    const std::string name =
        BaseName(String(Row(snapshot_.modules(), frame.module(), "modules").path()));
    return name.find(".so") == std::string::npos ? name : "";
  }

  // Names in order. A ring is turned so that its first name is the smallest; each step must wait
  // for what the next one holds.
  template <class StepsField>
  std::string Steps(const StepsField& steps, bool closed) const {
    std::vector<std::string> names;
    const int size = steps.size();
    for (int i = 0; i < size; ++i) {
      const v1::Wait& wait = WaitAt(steps[i].wait());
      names.push_back(Name(wait.actor()));
      const bool last = i + 1 == size;
      if (last && !closed) continue;
      if (!steps[i].has_held_by_next()) return "broken: a step without a hold";
      const v1::Hold& hold = HoldAt(steps[i].held_by_next());
      const v1::Wait& next = WaitAt(steps[(i + 1) % size].wait());
      if (hold.resource() != wait.resource() || hold.actor() != next.actor()) {
        return "broken after " + names.back();
      }
    }
    if (closed)
      std::rotate(names.begin(), std::min_element(names.begin(), names.end()), names.end());
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
  }

  const v1::Snapshot& snapshot_;
};

v1::Snapshot Parse(const Outcome& run) {
  v1::Snapshot snapshot;
  const auto status = google::protobuf::util::JsonStringToMessage(run.output, &snapshot);
  if (!status.ok()) {
    throw std::runtime_error("no snapshot from the tracer (exit status " +
                             std::to_string(run.status) + "): " + status.ToString() +
                             "\nstandard output: " + run.output.substr(0, 2000) +
                             "\nstandard error: " + run.error);
  }
  return snapshot;
}

}  // namespace

Answer AnswerOf(const Outcome& run) {
  Answer answer;
  answer.run = run;
  answer.snapshot = Parse(answer.run);
  const Describer describer(answer.snapshot);
  for (const v1::Finding& finding : answer.snapshot.findings()) {
    answer.findings += describer.Describe(finding);
  }
  for (const v1::Observation& observation : answer.snapshot.observations()) {
    for (const v1::Loss& loss : observation.losses()) {
      if (loss.relevant() && loss.count() > 0) answer.relevant_losses.push_back(loss.reason());
    }
  }
  return answer;
}

Answer Look(const Strings& arguments) {
  const TempDir directory;
  Strings command{"snapshot", "--json", "-o", directory.File("answer.pb")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return AnswerOf(RunTracer(command));
}

Answer LookAt(pid_t pid, const Strings& more) {
  Strings arguments{"-p", std::to_string(pid)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return Look(arguments);
}

std::string DescribeWaits(const Answer& answer, pid_t pid) {
  return Describer(answer.snapshot).WaitsOf(pid);
}

const v1::Process& ProcessRow(const Answer& answer, pid_t pid) {
  for (const v1::Process& process : answer.snapshot.processes()) {
    if (process.id().tid() == pid) return process;
  }
  throw std::runtime_error("process " + std::to_string(pid) + " is not in the snapshot");
}

const std::string& Text(const v1::Snapshot& snapshot, std::uint32_t index) {
  if (index >= static_cast<std::uint32_t>(snapshot.strings_size())) {
    throw std::runtime_error("the snapshot refers to a missing string");
  }
  return snapshot.strings(static_cast<int>(index));
}

std::string Waits(const Member& member) {
  return "  " + member.who + " waits for " + member.what +
         (member.whom.empty() ? "" : " held by " + member.whom) + " at " + member.where;
}

std::string Lines(const Strings& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::string Deadlock(const std::vector<Member>& members, const std::string& ring) {
  Strings lines{"DEADLOCK certain, never ends"};
  for (const Member& member : members) lines.push_back(Waits(member));
  lines.push_back("  ring: " + ring);
  return Lines(lines);
}

}  // namespace ct::test
