#include "cli/session.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include <sys/utsname.h>

#include "detect/detect.h"

namespace ct {
namespace {

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

}  // namespace

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

Result<std::unique_ptr<Session>> Session::Start(const TargetOptions& target, bool all_waits,
                                                DurationNs verdict_pause, bool steady) {
  std::unique_ptr<Session> session(new Session);
  session->begin_ = MonotonicNow();
  session->target_ = target;
  const Result<KernelFeatures> features = ProbeFeatures(target.without);
  if (!features) return Fail(features.error());
  const Result<SweepPlan> plan = PlanSweep(*features, steady);
  if (!plan) return Fail(plan.error());
  if (Status status = CheckFilter(target.filter); !status) return Fail(status.error());

  // Before anything of BPF exists: the reader process inherits none of it.
  Result<std::unique_ptr<Reader>> reader = Reader::Start({});
  if (!reader) return Fail(reader.error());
  session->reader_ = std::move(*reader);
  Result<std::unique_ptr<Sweeper>> sweeper = Sweeper::Load(*plan);
  if (!sweeper) return Fail(sweeper.error());
  session->sweeper_ = std::move(*sweeper);

  ObserverOptions options;
  options.filter = target.filter;
  options.all_waits = all_waits;
  options.long_wait = target.long_wait;
  options.verdict_pause = verdict_pause;
  options.once = !steady;
  session->observer_ =
      std::make_unique<Observer>(*session->sweeper_, *session->reader_, std::move(options));
  session->host_ = ReadHost();
  session->degradations_ = plan->degradations;
  return session;
}

Result<Answer> Session::Look() {
  Result<Observation> observation = observer_->Look();
  if (!observation) return Fail(observation.error());
  Answer answer;
  answer.observation = std::move(*observation);
  answer.observation.host = host_;
  answer.observation.tool_version = ToolVersion();
  answer.observation.degradations = degradations_;
  const std::vector<std::string> since = sweeper_->degradations();
  answer.observation.degradations.insert(answer.observation.degradations.end(), since.begin(),
                                         since.end());
  DetectOptions detect;
  detect.long_wait = target_.long_wait;
  answer.findings = Detect(answer.observation, detect);
  MarkDeadlocked(answer);
  answer.observation.cost.total = MonotonicNow() - begin_;
  return answer;
}

}  // namespace ct
