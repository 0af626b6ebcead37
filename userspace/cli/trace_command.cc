#include <time.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/interrupts.h"
#include "cli/pacer.h"
#include "cli/print.h"
#include "cli/session.h"
#include "detect/detect.h"
#include "model/names.h"
#include "render/contention_text.h"
#include "render/holds_text.h"
#include "render/loop_text.h"
#include "snapshot/file.h"
#include "snapshot/snapshot.h"
#include "track/finding_tracker.h"

namespace ct {
namespace {

struct TraceOptions {
  TargetOptions target;
  OutputOptions output;
  DurationNs interval = 250 * kMillisecond;
  DurationNs duration = 0;  // 0: until interrupted
  std::string file;
  bool waits = false;
  bool task_origin = false;
  DurationNs loop_block = kDefaultLoopBlock;
  WaitOptions wait_options;
  bool holds = false;
  HoldTraceOptions hold_options;
};

constexpr DurationNs kMinInterval = 10 * kMillisecond;
constexpr DurationNs kWaitsStep = 100 * kMillisecond;

std::string ClockTime() {
  const time_t seconds = time(nullptr);
  tm local{};
  localtime_r(&seconds, &local);
  return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

class Trace {
 public:
  explicit Trace(const TraceOptions& options) : options_(options), pacer_(options.interval) {}

  int Run() {
    const Interrupts interrupts;
    if (options_.task_origin && options_.target.filter.empty()) {
      return PrintError({ErrorCode::kUsage, "--task-origin needs -p, --comm, --cgroup or --unit"});
    }
    if (options_.holds && options_.target.filter.empty()) {
      return PrintError({ErrorCode::kUsage,
                         "--holds needs -p, --comm, --cgroup or --unit: it puts probes into the "
                         "processes that it follows"});
    }
    SessionOptions how{.target = options_.target,
                       .loop_block = options_.loop_block,
                       .steady = true,
                       .task_origin = options_.task_origin};
    if (options_.waits) how.waits = options_.wait_options;
    if (options_.holds) how.holds = options_.hold_options;
    Result<std::unique_ptr<Session>> session = Session::Start(how);
    if (!session) return PrintError(session.error());
    session_ = std::move(*session);
    if (Status status = BeginWaits(); !status) return PrintError(status.error());
    begin_ = MonotonicNow();
    if (Status status = FirstLook(); !status) return PrintError(status.error());
    while (options_.duration == 0 || MonotonicNow() - begin_ < options_.duration) {
      DurationNs pause = pacer_.interval();
      if (options_.duration != 0) {
        pause = std::clamp<DurationNs>(begin_ + options_.duration - MonotonicNow(), 0, pause);
      }
      const Result<bool> interrupted = Pause(interrupts, pause);
      if (interrupted && *interrupted) break;
      const Status status = interrupted ? Step() : Status(Fail(interrupted.error()));
      if (!status) {
        // The processes asked about have ended: that ends the trace, as Ctrl-C does.
        if (status.error().code != ErrorCode::kNotFound) return PrintError(status.error());
        PrintError(status.error());
        return Summarize();
      }
    }
    return Finish();
  }

 private:
  Status FirstLook() {
    if (Status status = Look(); !status) return status;
    FollowTaskOrigins();
    if (Status status = FollowLoops(); !status) return status;
    if (Status status = FollowHolds(); !status) return status;
    if (Status status = PrintAnswer(last_, options_.output, false); !status) return status;
    return SaveHangs(changes_.appeared);
  }

  void FollowTaskOrigins() {
    if (!session_->FollowTaskOrigins() || origins_told_) return;
    fmt::print(stderr, "recording where asyncio's tasks are made\n");
    origins_told_ = true;
  }

  // Those of the processes that the filter names by now.
  Status FollowLoops() {
    LoopWatch* loops = session_->loops();
    if (loops == nullptr) return {};
    Status status = loops->Select(session_->observer().selected());
    if (status && !loops_told_) {
      fmt::print(stderr, "{}\n", session_->LoopsBanner());
      loops_told_ = true;
    }
    return status;
  }

  // Those of the processes that the filter names by now.
  Status FollowHolds() {
    HoldWatch* holds = session_->holds();
    if (holds == nullptr) return {};
    Status status = holds->Select(session_->observer().selected());
    PrintLines(holds->TakeLines());
    return status;
  }

  static void PrintLines(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) fmt::print(stderr, "concurrency-tracer: {}\n", line);
  }

  Status StepHolds() {
    HoldWatch* holds = session_->holds();
    if (holds == nullptr) return {};
    Status status = holds->Step();
    PrintLines(holds->TakeLines());
    return status;
  }

  // Between two steps of whatever is followed while the sweeps pause; 0: nothing is.
  DurationNs StepLength() {
    DurationNs step = options_.waits ? kWaitsStep : 0;
    const auto at_most = [&](DurationNs length) {
      step = step == 0 ? length : std::min(step, length);
    };
    if (session_->loops() != nullptr) at_most(session_->loops()->interval());
    if (session_->holds() != nullptr) at_most(HoldWatch::interval());
    return step;
  }

  Status BeginWaits() {
    if (!options_.waits) return {};
    if (Status status = session_->contention().Begin(); !status) return status;
    fmt::print(stderr, "{}\n", session_->WaitsBanner());
    return {};
  }

  // Takes in the waits that end meanwhile, and looks at the event loops. True if a signal came.
  Result<bool> Pause(const Interrupts& interrupts, DurationNs pause) {
    LoopWatch* const loops = session_->loops();
    const DurationNs step = StepLength();
    if (step == 0) return interrupts.Wait(pause);
    const TimeNs end = MonotonicNow() + pause;
    // What waits cost is no reason to sweep less often.
    const DurationNs cpu_before = ProcessCpuTime() + session_->reader_cpu();
    for (DurationNs left = pause; left > 0; left = end - MonotonicNow()) {
      if (interrupts.Wait(options_.waits ? 0 : std::min(left, step))) return true;
      if (loops != nullptr) {
        if (Status status = loops->Step(); !status) return Fail(status.error());
      }
      if (Status status = StepHolds(); !status) return Fail(status.error());
      if (!options_.waits) continue;
      if (Status status = session_->contention().Step(std::min(left, step)); !status) {
        return Fail(status.error());
      }
      PrintLines(session_->contention().TakeNews());
    }
    pacer_.LeaveOut(ProcessCpuTime() + session_->reader_cpu() - cpu_before);
    return interrupts.Wait(0);
  }

  Status Step() {
    pacer_.BeginStep(session_->reader_cpu());
    const Result<bool> changed = session_->observer().Watch(pacer_.interval());
    if (!changed) return Fail(changed.error());
    ++sweeps_;
    FollowTaskOrigins();
    if (Status status = FollowLoops(); !status) return status;
    if (Status status = FollowHolds(); !status) return status;
    LoopWatch* const loops = session_->loops();
    const bool news = loops != nullptr && loops->TakeNews();
    const bool held = session_->holds() != nullptr && session_->holds()->TakeNews();
    if (*changed || held || news) {
      if (Status status = *changed || held ? Look() : TakeIn(session_->LookAtLoops()); !status) {
        return status;
      }
      if (Status status = PrintChanges(); !status) return status;
      if (Status status = SaveHangs(changes_.appeared); !status) return status;
    }
    const std::string note = pacer_.EndStep(session_->reader_cpu());
    if (!note.empty()) fmt::print(stderr, "concurrency-tracer: {}\n", note);
    return {};
  }

  Status Look() {
    ++looks_;
    return TakeIn(session_->Look());
  }

  Status TakeIn(Result<Answer> answer) {
    if (!answer) return Fail(answer.error());
    last_ = std::move(*answer);
    changes_ = tracker_.Update(last_.findings, last_.observation);
    for (const std::size_t index : changes_.appeared) {
      told_ += 1;
      worst_ = std::min(worst_, ExitStatusOf(last_.observation, {&last_.findings[index], 1}));
    }
    for (const Loss& loss : last_.observation.losses) lost_ = lost_ || loss.relevant;
    return {};
  }

  // Only what is new; what has been said is not said again at every sweep.
  Status PrintChanges() {
    for (const EndedFinding& ended : changes_.ended) {
      if (Status status = PrintEnded(ended); !status) return status;
    }
    std::vector<std::size_t> news = changes_.appeared;
    news.insert(news.end(), changes_.changed.begin(), changes_.changed.end());
    if (news.empty()) return {};
    std::sort(news.begin(), news.end());
    Answer answer;
    answer.observation = last_.observation;
    answer.observation.contention = {};
    answer.observation.loops.loops.clear();
    for (Process& process : answer.observation.processes) process.selected = false;
    for (const std::size_t index : news) answer.findings.push_back(last_.findings[index]);
    if (options_.output.format == "text") {
      if (Status status = PrintText("\n" + ClockTime() + "\n"); !status) {
        return status;
      }
    }
    return PrintAnswer(answer, options_.output, false);
  }

  Status PrintEnded(const EndedFinding& ended) {
    // In JSON the stream of snapshots says it: the finding's id is no longer in them.
    if (options_.output.format != "text") return {};
    std::string who;
    for (const ActorId& actor : ended.actors) {
      if (who.size() > 60) {
        who += " ...";
        break;
      }
      who += fmt::format("{}{}", who.empty() ? "" : ", ", actor.thread.tid);
    }
    if (!who.empty()) {
      who = fmt::format(" of thread{} {}", ended.actors.size() == 1 ? "" : "s", who);
    }
    return PrintText(
        fmt::format("\n{}\nENDED  {}{} after {}\n", ClockTime(), ToString(ended.kind), who,
                    FormatDuration(std::max<DurationNs>(0, ended.last_seen - ended.since))));
  }

  // A file for each hang, at once: the process may be restarted before anybody looks.
  Status SaveHangs(const std::vector<std::size_t>& appeared) {
    for (const std::size_t index : appeared) {
      const Finding& finding = last_.findings[index];
      if (!IsHang(finding.kind) || finding.members.empty()) continue;
      const Observation& observation = last_.observation;
      const Actor& member = observation.actors[static_cast<std::size_t>(finding.members.front())];
      const pid_t pid =
          member.process == kNoIndex
              ? member.id.tid
              : observation.processes[static_cast<std::size_t>(member.process)].id.tid;
      if (Status status = Save(DefaultFileName(observation.host.name, pid,
                                               observation.end + observation.realtime_offset));
          !status) {
        return status;
      }
    }
    return {};
  }

  // What was waited for so far becomes a part of the last look.
  Status AddContention() {
    if (!options_.waits || last_.observation.contention.since != 0) return {};
    return session_->AddContention(last_);
  }

  Status Save(const std::string& file) {
    if (Status status = AddContention(); !status) return status;
    if (Status status = WriteFile(file, Encode(last_.observation, last_.findings)); !status) {
      return status;
    }
    const std::string line = fmt::format("snapshot  {}\n", file);
    if (options_.output.format == "text") return PrintText(line);
    fputs(line.c_str(), stderr);
    return {};
  }

  int Finish() {
    if (session_->loops() != nullptr) {
      if (Status status = session_->loops()->Step(); !status) return PrintError(status.error());
    }
    // The last state, so that the file and the summary speak of the end and not of the last change.
    if (Status status = Look(); status) {
      if (Status printed = PrintChanges(); !printed) return PrintError(printed.error());
      if (Status saved = SaveHangs(changes_.appeared); !saved) return PrintError(saved.error());
    } else if (status.error().code != ErrorCode::kNotFound) {
      return PrintError(status.error());
    }
    return Summarize();
  }

  // In JSON it is in the file.
  Status PrintContention() {
    if (!options_.waits || options_.output.format != "text") return {};
    if (Status status = AddContention(); !status) return status;
    RenderOptions render;
    render.color = WantsColor();
    return PrintText("\n" + RenderContention(last_.observation, {}, render));
  }

  Status PrintHolds() {
    if (session_->holds() == nullptr || options_.output.format != "text") return {};
    RenderOptions render;
    render.color = WantsColor();
    const std::string text = RenderHolds(last_.observation, {}, render);
    return text.empty() ? Status() : PrintText("\n" + text);
  }

  Status PrintLoops() {
    if (session_->loops() == nullptr || options_.output.format != "text") return {};
    const std::string text = RenderLoops(last_.observation, {});
    return text.empty() ? Status() : PrintText("\n" + text);
  }

  int Summarize() {
    if (!options_.file.empty()) {
      if (Status status = Save(options_.file); !status) return PrintError(status.error());
    }
    if (Status status = PrintContention(); !status) return PrintError(status.error());
    if (Status status = PrintLoops(); !status) return PrintError(status.error());
    if (Status status = PrintHolds(); !status) return PrintError(status.error());
    const DurationNs wall = std::max<DurationNs>(1, MonotonicNow() - begin_);
    const DurationNs cpu = ProcessCpuTime() + session_->reader_cpu();
    const std::string summary = fmt::format(
        "\n{} finding{} in {}, {} of them not ended; {} sweeps, {} looks, {:.2f} % of one CPU\n",
        told_, told_ == 1 ? "" : "s", FormatDuration(wall), tracker_.tracked(), sweeps_, looks_,
        100.0 * static_cast<double>(cpu) / static_cast<double>(wall));
    if (options_.output.format == "text") {
      if (Status status = PrintText(summary); !status) return PrintError(status.error());
    } else {
      fputs(summary.c_str(), stderr);
    }
    if (worst_ != kNone) return worst_;
    return lost_ ? kExitNotSeen : kExitNothing;
  }

  // kExitHang sorts before kExitFindings; this after both.
  static constexpr ExitStatus kNone = static_cast<ExitStatus>(255);

  TraceOptions options_;
  Pacer pacer_;
  std::unique_ptr<Session> session_;
  FindingTracker tracker_;
  FindingChanges changes_;
  Answer last_;
  TimeNs begin_ = 0;
  std::uint64_t sweeps_ = 0;
  std::uint64_t looks_ = 0;
  std::uint64_t told_ = 0;
  bool loops_told_ = false;    // that they are followed
  bool origins_told_ = false;  // likewise
  ExitStatus worst_ = kNone;
  bool lost_ = false;
};

}  // namespace

Command AddTraceCommand(CLI::App& app) {
  auto options = std::make_shared<TraceOptions>();
  AddTargetOptions(app, options->target);
  AddLoopOption(app, options->loop_block);
  AddTaskOrigin(app, options->task_origin);
  AddFormatOptions(app, options->output);
  AddDuration(app, "-i,--interval", options->interval, "Between two sweeps (default 250ms)");
  AddDuration(app, "-d,--duration", options->duration, "How long (default: until Ctrl-C)");
  app.add_option("-o,--output", options->file, "A snapshot file of the last state")
      ->type_name("FILE");
  CLI::Option* waits = app.add_flag(
      "--waits", options->waits,
      "Count waits as they happen, too (see contention): who was given a lock that keeps no\n"
      "owner, and a table at the end and in the files");
  AddWaitOptions(app, options->wait_options);
  for (const char* name : {"--min-wait", "--stack-size", "--ring-size", "--max-locks"}) {
    app.get_option(name)->needs(waits);
  }
  CLI::Option* holds = app.add_flag(
      "--holds", options->holds,
      "Follow acquires and releases of locks, semaphores and pools in the processes named (see\n"
      "doctor --probes): holds since when and from which line, pools that run dry, and locks that\n"
      "are taken in opposite orders before they deadlock");
  AddHoldOptions(app, options->hold_options);
  for (const char* name : {"--long-hold", "--pool"}) app.get_option(name)->needs(holds);
  CLI::Option* overhead = app.get_option("--max-overhead");
  overhead->description(
      "Percent that following may cost: with --waits of the host's CPU time (default 1), with\n"
      "--holds of each process's (default 2). Past it less is followed, and that is said");
  app.footer(
      "Every deadlock and abandoned lock gets a snapshot file in the current directory.\n"
      "Exit status: 0 nothing found, 1 error, 2 usage, 3 nothing found but something relevant\n"
      "could not be read, 10 something that cannot end by itself, 11 other findings only.");
  return [options, overhead] {
    options->interval = std::max(options->interval, kMinInterval);
    if (overhead->count() > 0) {
      if (!options->waits && !options->holds) {
        return static_cast<int>(
            PrintError({ErrorCode::kUsage, "--max-overhead goes with --waits or --holds"}));
      }
      options->hold_options.max_overhead = options->wait_options.max_overhead;
    }
    return Trace(*options).Run();
  };
}

}  // namespace ct
