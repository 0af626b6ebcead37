#include <memory>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands.h"
#include "cli/doctor_probes.h"
#include "cli/options.h"
#include "cli/print.h"
#include "cli/session.h"
#include "kernel/waits.h"

namespace ct {
namespace {

struct DoctorOptions {
  std::vector<std::string> without;
  bool probes = false;
  ProbesOptions of_probes;
};

std::string Line(const char* what, const std::string& value) {
  return fmt::format("  {:<28}{}\n", what, value);
}

std::string YesNo(bool yes) { return yes ? "yes" : "no"; }

std::string Features(const KernelFeatures& features) {
  return Line("BTF", YesNo(features.btf)) + Line("task iterator", YesNo(features.task_iterator)) +
         Line("bpf_task_pt_regs", YesNo(features.task_pt_regs)) +
         Line("bpf_get_task_stack", YesNo(features.task_stack)) +
         Line("open-coded task iterator", YesNo(features.task_walk)) +
         Line("BPF ring buffer", YesNo(features.ring_buffer)) +
         Line("task storage", YesNo(features.task_storage)) +
         Line("maps that grow in programs", YesNo(features.map_allocator)) +
         Line("host's pid namespace", YesNo(features.init_pid_namespace)) +
         Line("capabilities missing",
              features.missing_capabilities.empty()
                  ? "none"
                  : fmt::format("{}", fmt::join(features.missing_capabilities, " ")));
}

// One sweep, as the tracing loop makes them.
Result<std::string> TrySweep(const SweepPlan& plan) {
  const Result<std::unique_ptr<Sweeper>> sweeper = Sweeper::Load(plan);
  if (!sweeper) return Fail(sweeper.error());
  const Result<Sweep> sweep = (*sweeper)->Full({});
  if (!sweep) return Fail(sweep.error());
  return Line("sweep", fmt::format("{} threads in {}", sweep->visited,
                                   FormatDuration(sweep->end - sweep->begin))) +
         Line("steady sweeps by", plan.walk ? "open-coded iterator" : "iter/task");
}

// Each way of following futex calls, tried alone.
std::string TryWays(const WaitsPlan& plan, bool& any) {
  std::string text;
  for (const AttachWay way : plan.ways) {
    WaitsPlan one = plan;
    one.ways = {way};
    const Result<std::unique_ptr<WaitTracer>> tracer = WaitTracer::Load(one);
    if (!tracer) {
      text += Line(ToString(way), "no: " + tracer.error().message);
      continue;
    }
    const WaitCosts& costs = (*tracer)->costs();
    text += Line(ToString(way),
                 fmt::format("{}; +{} ns a futex call, +{} ns any other system call",
                             any ? "works, too" : "used", costs.futex_call, costs.other_call));
    any = true;
  }
  return text;
}

int Run(const DoctorOptions& options) {
  const Result<KernelFeatures> features = ProbeFeatures(options.without);
  if (!features) return PrintError(features.error());
  const Host host = ReadHost();
  std::string text = fmt::format("kernel {} {}, {} CPUs\n{}", host.kernel_release,
                                 host.architecture, host.cpus, Features(*features));
  std::vector<std::string> degradations;
  bool works = true;

  text += "\nwhat is stuck now (snapshot, trace)\n";
  const Result<SweepPlan> sweeps = PlanSweep(*features, true);
  const Result<std::string> sweep =
      sweeps ? TrySweep(*sweeps) : Result<std::string>(Fail(sweeps.error()));
  if (sweep) {
    text += *sweep;
    degradations = sweeps->degradations;
  } else {
    text += Line("cannot work", sweep.error().message);
    works = false;
  }

  text += "\nwaits as they happen (contention)\n";
  const Result<WaitsPlan> waits = PlanWaits(*features);
  bool any_way = false;
  if (works && waits) {
    text += TryWays(*waits, any_way);
    if (any_way) {
      text += Line("waits in progress in", waits->task_storage
                                               ? "task storage"
                                               : fmt::format("a table of {}", waits->max_threads));
      text += Line("locks", fmt::format("at most {}, memory {}", waits->max_locks,
                                        waits->preallocate ? "taken at the start" : "as needed"));
    }
    degradations.insert(degradations.end(), waits->degradations.begin(), waits->degradations.end());
  } else if (works) {
    text += Line("cannot work", waits.error().message);
  }
  if (!any_way) degradations.emplace_back("waits cannot be counted as they happen");

  text += "\n";
  for (const std::string& line : degradations) text += fmt::format("DEGRADED  {}\n", line);
  if (!works) {
    text += "Nothing can be traced here.\n";
  } else if (degradations.empty()) {
    text += "Everything works.\n";
  }
  if (Status status = PrintText(text); !status) return PrintError(status.error());
  if (!works) return kExitError;
  return degradations.empty() ? kExitNothing : kExitNotSeen;
}

}  // namespace

Command AddDoctorCommand(CLI::App& app) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App* command = app.add_subcommand(
      "doctor", "What this kernel and these privileges allow, and what it costs here");
  command->add_option("--without-kernel-feature", options->without)->group("");
  CLI::Option* probes = command->add_flag(
      "--probes", options->probes,
      "Where the acquires and releases of a process's locks and pools would be probed, and why\n"
      "there (reads only)");
  CLI::Option* pid = command->add_option("-p,--pid", options->of_probes.pid, "Its process")
                         ->needs(probes)
                         ->check(CLI::PositiveNumber)
                         ->type_name("PID");
  probes->needs(pid);
  command->add_option("--pool", options->of_probes.pools, "Its pool of your own; may be repeated")
      ->needs(probes)
      ->type_name("FILE:ACQUIRE[,...],RELEASE");
  command->footer(
      "Exit status: 0 everything works, 3 something is degraded or cannot be probed, 1 nothing "
      "works.");
  return
      [options] { return options->probes ? RunDoctorProbes(options->of_probes) : Run(*options); };
}

}  // namespace ct
