#include "cli/session.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include <fmt/format.h>
#include <sys/utsname.h>

#include "cli/families.h"
#include "detect/detect.h"

namespace ct {

void MarkDeadlocked(Answer& answer) {
  for (const Finding& finding : answer.findings) {
    if (!IsHang(finding.kind)) continue;
    for (const ActorIndex member : finding.members) {
      const ProcessIndex process =
          answer.observation.actors[static_cast<std::size_t>(member)].process;
      if (process == kNoIndex) continue;
      Process& stuck = answer.observation.processes[static_cast<std::size_t>(process)];
      if (finding.kind != FindingKind::kAbandonedLock) stuck.verdict = Verdict::kDeadlocked;
    }
  }
}

Host ReadHost() {
  Host host;
  utsname system{};
  uname(&system);
  host.name = system.nodename;
  host.kernel_release = system.release;
  host.architecture = system.machine;
  host.cpus = static_cast<std::uint32_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  std::ifstream("/proc/sys/kernel/random/boot_id") >> host.boot_id;
  return host;
}

const char* ToolVersion() { return CT_VERSION; }

Result<std::unique_ptr<Session>> Session::Start(const SessionOptions& options) {
  std::unique_ptr<Session> session(new Session);
  const TargetOptions& target = options.target;
  session->begin_ = MonotonicNow();
  session->target_ = target;
  const Result<KernelFeatures> features = ProbeFeatures(target.without);
  if (!features) return Fail(features.error());
  const Result<SweepPlan> plan = PlanSweep(*features, options.steady);
  if (!plan) return Fail(plan.error());
  WaitsPlan waits;
  if (options.waits) {
    Result<WaitsPlan> planned = PlanWaits(*features);
    if (!planned) return Fail(planned.error());
    waits = std::move(*planned);
  }
  if (Status status = CheckFilter(target.filter); !status) return Fail(status.error());

  // Before anything of BPF exists: the reader process inherits none of it.
  Result<std::unique_ptr<Reader>> reader = Reader::Start({});
  if (!reader) return Fail(reader.error());
  session->reader_ = std::move(*reader);
  Result<std::unique_ptr<Sweeper>> sweeper = Sweeper::Load(*plan);
  if (!sweeper) return Fail(sweeper.error());
  session->sweeper_ = std::move(*sweeper);

  session->host_ = ReadHost();
  session->degradations_ = plan->degradations;
  if (options.waits) {
    if (Status status = session->StartWaits(options, waits); !status) return Fail(status.error());
  }

  if (options.holds) {
    if (Status status = session->StartHolds(options, *features); !status) {
      return Fail(status.error());
    }
  }

  if (options.steady && options.loop_block > 0 && !target.filter.empty()) {
    session->loops_wanted_ = *features;
  }

  if (options.task_origin) session->StartTaskOrigins();

  ObserverOptions observer;
  observer.task_origins = session->task_origins_.get();
  observer.loop_block = options.loop_block;
  observer.filter = target.filter;
  observer.all_waits = options.all_waits;
  observer.exclusive_classes.insert(observer.exclusive_classes.end(),
                                    target.exclusive_classes.begin(),
                                    target.exclusive_classes.end());
  observer.long_wait = target.long_wait;
  observer.verdict_pause = options.verdict_pause;
  observer.once = !options.steady;
  if (options.steady) observer.search_interval = kSearchInterval;
  if (session->contention_) {
    observer.given_locks = [contention = session->contention_.get()] {
      return contention->Given();
    };
  }
  if (session->holds_) {
    observer.seen_holders = [holds = session->holds_.get()] { return holds->Holders(); };
  }
  session->observer_ = std::make_unique<Observer>(*session->sweeper_, *session->reader_,
                                                  session->history_, std::move(observer));
  return session;
}

// Without it a trace is worth having all the same.
void Session::StartLoops(DurationNs threshold) {
  Result<LoopsPlan> plan = PlanLoops(*loops_wanted_);
  loops_wanted_.reset();
  Result<std::unique_ptr<LoopTracer>> tracer = Fail(ErrorCode::kUnsupported, "");
  if (plan) {
    plan->threshold = threshold;
    tracer = LoopTracer::Load(*plan);
  }
  if (!tracer) {
    degradations_.push_back(plan ? tracer.error().message : plan.error().message);
    return;
  }
  loop_tracer_ = std::move(*tracer);
  loops_ = std::make_unique<LoopWatch>(*loop_tracer_, *reader_, threshold, target_.long_wait);
}

// Without it, too.
void Session::StartTaskOrigins() {
  Result<std::unique_ptr<TaskOriginTracer>> tracer = TaskOriginTracer::Load();
  if (!tracer) {
    degradations_.push_back("where tasks are made is not known: " + tracer.error().message);
    return;
  }
  origin_tracer_ = std::move(*tracer);
  task_origins_ = std::make_unique<TaskOrigins>(*origin_tracer_, *reader_);
}

bool Session::FollowTaskOrigins() {
  if (!task_origins_) return false;
  observer_->FollowTaskOrigins();
  return task_origins_->follows_any();
}

std::string Session::LoopsBanner() const {
  const AttachWay way = loop_tracer_->way();
  return fmt::format("timing event loops by {}{}", ToString(way),
                     way == AttachWay::kTracepoint
                         ? ", which every system call of the host pays for (doctor: how much); "
                           "--loop-block off does without"
                         : "");
}

Status Session::StartWaits(const SessionOptions& options, const WaitsPlan& features) {
  WaitsPlan plan = features;
  plan.min_wait = options.waits->min_wait;
  plan.stack_bytes = options.waits->stack_kilobytes << 10;
  plan.ring_bytes = options.waits->ring_megabytes << 20;
  plan.max_locks = options.waits->max_locks;
  Result<std::unique_ptr<WaitTracer>> tracer = WaitTracer::Load(plan);
  if (!tracer) return Fail(tracer.error());
  waits_ = std::move(*tracer);
  for (const auto& lines : {plan.degradations, waits_->degradations()}) {
    degradations_.insert(degradations_.end(), lines.begin(), lines.end());
  }
  contention_ = std::make_unique<ContentionObserver>(
      *waits_, *sweeper_, *reader_, history_,
      ContentionOptions{options.target.filter, options.waits->min_wait,
                        options.waits->max_overhead / 100, host_.cpus, !options.steady});
  return {};
}

Status Session::StartHolds(const SessionOptions& options, const KernelFeatures& features) {
  Result<std::vector<CatalogFamily>> catalog = LoadFamilies(options.holds->pools);
  if (!catalog) return Fail(catalog.error());
  Result<HoldsPlan> plan = PlanHolds(features);
  if (!plan) return Fail(plan.error());
  plan->long_hold = options.holds->long_hold;
  Result<std::unique_ptr<HoldTracer>> tracer = HoldTracer::Load(*plan);
  if (!tracer) return Fail(tracer.error());
  hold_tracer_ = std::move(*tracer);
  degradations_.insert(degradations_.end(), plan->degradations.begin(), plan->degradations.end());
  HoldOptions how;
  how.catalog = std::move(*catalog);
  how.long_hold = options.holds->long_hold;
  how.long_wait = options.target.long_wait;
  how.max_overhead = options.holds->max_overhead / 100;
  holds_ = std::make_unique<HoldWatch>(*hold_tracer_, *reader_, history_, std::move(how));
  return {};
}

Result<Answer> Session::Contention() {
  Result<Observation> observation = contention_->Report();
  if (!observation) return Fail(observation.error());
  observation->host = host_;
  observation->tool_version = ToolVersion();
  observation->degradations.insert(observation->degradations.begin(), degradations_.begin(),
                                   degradations_.end());
  const ReaderCost reader = reader_->cost();
  observation->cost.cpu = ProcessCpuTime();
  observation->cost.total = MonotonicNow() - begin_;
  observation->cost.reader_cpu = reader.cpu;
  observation->cost.reader_resident_bytes = reader.resident_bytes;
  Answer answer{std::move(*observation), {}};
  answer.findings = Detect(answer.observation);
  return answer;
}

Status Session::AddContention(Answer& answer) { return contention_->AddTo(answer.observation); }

std::string Session::WaitsBanner() const {
  std::string text = fmt::format("counting waits by {}, +{} ns a futex call",
                                 ToString(waits_->way()), waits_->costs().futex_call);
  if (waits_->way() == AttachWay::kTracepoint) {
    text += fmt::format(", +{} ns any other system call", waits_->costs().other_call);
  }
  return text;
}

Result<Answer> Session::Look() {
  Result<Observation> observation = observer_->Look();
  if (!observation) return Fail(observation.error());
  if (loops_wanted_ && observation->loops.threshold > 0) StartLoops(observation->loops.threshold);
  observation->host = host_;
  observation->tool_version = ToolVersion();
  auto& degradations = observation->degradations;
  degradations.insert(degradations.begin(), degradations_.begin(), degradations_.end());
  const std::vector<std::string> since = sweeper_->degradations();
  degradations.insert(degradations.end(), since.begin(), since.end());
  if (holds_) {
    if (Status status = holds_->AddTo(*observation); !status) return Fail(status.error());
  }
  unmoved_.Mark(*observation);
  queues_.Mark(*observation);
  if (loops_) last_look_ = *observation;
  return Conclude(std::move(*observation));
}

Result<Answer> Session::LookAtLoops() { return Conclude(last_look_); }

Result<Answer> Session::Conclude(Observation observation) {
  if (loops_) {
    if (Status status = loops_->AddTo(observation, MonotonicNow()); !status) {
      return Fail(status.error());
    }
  }
  Answer answer;
  answer.observation = std::move(observation);
  DetectOptions detect;
  detect.long_wait = target_.long_wait;
  detect.stuck_task = target_.stuck_task;
  std::vector<Loss> undecided;
  answer.findings = Detect(answer.observation, detect, &undecided);
  auto& losses = answer.observation.losses;
  losses.insert(losses.end(), undecided.begin(), undecided.end());
  MarkDeadlocked(answer);
  answer.observation.cost.total = MonotonicNow() - begin_;
  return answer;
}

}  // namespace ct
