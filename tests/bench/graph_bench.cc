// What it costs to build the graph of an observation and to find everything in it, by number of
// actors. The complexity fit in the last rows says whether that is linear.
#include <string>

#include <benchmark/benchmark.h>

#include "detect/detect.h"
#include "graph/wait_graph.h"
#include "track/finding_tracker.h"

namespace ct {
namespace {

constexpr TimeNs kNow = 1'000'000 * kSecond;

class Host {
 public:
  explicit Host(std::int64_t actors) {
    observation_.begin = kNow - 100 * kMillisecond;
    observation_.end = kNow;
    observation_.processes.resize(1);
    observation_.processes[0].space = 1;
    observation_.actors.resize(static_cast<std::size_t>(actors));
    for (std::size_t i = 0; i < observation_.actors.size(); ++i) {
      observation_.actors[i].id = {static_cast<pid_t>(i + 1), 1};
      observation_.actors[i].process = 0;
      observation_.actors[i].state = RunState::kSleeping;
    }
  }

  ResourceIndex Lock(bool holders_known = true) {
    Resource lock;
    lock.kind = ResourceKind::kMutex;
    lock.id.space = 1;
    lock.id.address = 0x1000 + 0x40 * observation_.resources.size();
    lock.holders_known = holders_known;
    observation_.resources.push_back(lock);
    return static_cast<ResourceIndex>(observation_.resources.size() - 1);
  }

  void Waits(ActorIndex actor, ResourceIndex lock, WaitPurpose purpose = WaitPurpose::kAcquire) {
    Wait wait;
    wait.actor = actor;
    wait.resource = lock;
    wait.purpose = purpose;
    wait.evidence = Evidence::kCertain;
    wait.continuity = Continuity::kStill;
    wait.since = kNow - 10 * kSecond;
    observation_.waits.push_back(wait);
  }

  void Holds(ActorIndex actor, ResourceIndex lock) {
    Hold hold;
    hold.actor = actor;
    hold.resource = lock;
    hold.evidence = Evidence::kCertain;
    observation_.holds.push_back(hold);
  }

  Observation& observation() { return observation_; }

 private:
  Observation observation_;
};

// Most of a healthy host: threads parked in event waits that nobody holds.
Observation Idle(std::int64_t actors) {
  Host host(actors);
  for (ActorIndex i = 0; i < actors; ++i) host.Waits(i, host.Lock(false), WaitPurpose::kEvent);
  return host.observation();
}

// Ten threads in a hundred wait for locks whose holders run; the rest is idle.
Observation Busy(std::int64_t actors) {
  Host host(actors);
  for (ActorIndex i = 0; i < actors; ++i) {
    if (i % 10 == 0) {
      const ResourceIndex lock = host.Lock();
      host.Holds(static_cast<ActorIndex>((i + 1) % actors), lock);
      host.Waits(i, lock);
    } else if (i % 10 > 1) {
      host.Waits(i, host.Lock(false), WaitPurpose::kEvent);
    }
  }
  return host.observation();
}

// A ring of two and everybody else behind it, in chains of fifty.
Observation QueueBehindRing(std::int64_t actors) {
  Host host(actors);
  for (ActorIndex i = 0; i < actors; ++i) host.Holds(i, host.Lock());
  host.Waits(0, 1);
  host.Waits(1, 0);
  for (ActorIndex i = 2; i < actors; ++i) host.Waits(i, i % 50 == 0 ? 0 : i - 1);
  return host.observation();
}

// One ring through everybody.
Observation OneRing(std::int64_t actors) {
  Host host(actors);
  for (ActorIndex i = 0; i < actors; ++i) host.Holds(i, host.Lock());
  for (ActorIndex i = 0; i < actors; ++i) host.Waits(i, static_cast<ActorIndex>((i + 1) % actors));
  return host.observation();
}

// Nothing but rings of two.
Observation ManyRings(std::int64_t actors) {
  Host host(actors);
  for (ActorIndex i = 0; i < actors; ++i) host.Holds(i, host.Lock());
  for (ActorIndex i = 0; i < actors; ++i) host.Waits(i, i ^ 1);
  return host.observation();
}

// An exhausted pool: half of them hold a unit, and all wait for one.
Observation Pool(std::int64_t actors) {
  Host host(actors);
  const ResourceIndex pool = host.Lock();
  for (ActorIndex i = 0; i < actors / 2; ++i) host.Holds(i, pool);
  for (ActorIndex i = 0; i < actors; ++i) host.Waits(i, pool);
  return host.observation();
}

// Everybody waits for both neighbours, who hold what they wait for: one knot, many short cycles.
Observation Lattice(std::int64_t actors) {
  Host host(actors);
  for (ActorIndex i = 0; i < actors; ++i) {
    const ResourceIndex both = host.Lock();
    host.observation().resources.back().rule = ReleaseRule::kAllHolders;
    host.Holds(static_cast<ActorIndex>((i + 1) % actors), both);
    host.Holds(static_cast<ActorIndex>((i + actors - 1) % actors), both);
    host.Waits(i, both);
  }
  return host.observation();
}

using Make = Observation (*)(std::int64_t);

void BuildGraph(benchmark::State& state, Make make) {
  const Observation observation = make(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(WaitGraph(observation));
  state.SetComplexityN(state.range(0));
}

void DetectAll(benchmark::State& state, Make make) {
  const Observation observation = make(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(Detect(observation));
  state.SetComplexityN(state.range(0));
}

// The same findings at every look, as in a hang that lasts.
void TrackAll(benchmark::State& state, Make make) {
  const Observation observation = make(state.range(0));
  const std::vector<Finding> found = Detect(observation);
  FindingTracker tracker;
  for (auto _ : state) {
    std::vector<Finding> findings = found;
    benchmark::DoNotOptimize(tracker.Update(findings, observation));
  }
  state.SetComplexityN(state.range(0));
}

#define CT_BENCH(function, make)          \
  BENCHMARK_CAPTURE(function, make, make) \
      ->RangeMultiplier(10)               \
      ->Range(1'000, 100'000)             \
      ->Unit(benchmark::kMillisecond)     \
      ->MinTime(0.2)                      \
      ->Complexity(benchmark::oN)

CT_BENCH(BuildGraph, Busy);
CT_BENCH(DetectAll, Idle);
CT_BENCH(DetectAll, Busy);
CT_BENCH(DetectAll, QueueBehindRing);
CT_BENCH(DetectAll, OneRing);
CT_BENCH(DetectAll, ManyRings);
CT_BENCH(DetectAll, Pool);
CT_BENCH(DetectAll, Lattice);
CT_BENCH(TrackAll, QueueBehindRing);
CT_BENCH(TrackAll, ManyRings);

}  // namespace
}  // namespace ct

BENCHMARK_MAIN();
