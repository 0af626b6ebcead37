#include "kernel/holds.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/unique_fd.h"
#include "kernel/attach.h"
#include "kernel/frame_probe.h"
#include "kernel/hold_calibration.h"
#include "kernel/hold_record.h"
#include "kernel/libbpf_log.h"
#include "kernel/time_order.h"

#include <holds.skel.h>

namespace ct {
namespace {

static_assert(HoldTracer::kMaxProbes == CT_HOLD_PROBES);

// As of waits: the time that a CPU can be taken away between a record's time and its place.
constexpr DurationNs kOrderHorizon = 20 * kMillisecond;
constexpr std::uint32_t kMaxPushed = 4096;

struct SkeletonDeleter {
  void operator()(holds_bpf* skeleton) const { holds_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<holds_bpf, SkeletonDeleter>;

// The file behind the mapping, whatever the target calls it; never opened for reading.
Result<UniqueFd> OpenMapped(pid_t pid, const ProbeSite& site) {
  const std::string link =
      fmt::format("/proc/{}/map_files/{:x}-{:x}", pid, site.map_begin, site.map_end);
  UniqueFd file(open(link.c_str(), O_PATH | O_CLOEXEC));
  if (!file.ok()) return FailErrno("opening the file of " + site.function, errno);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return FailErrno("the file of " + site.function, errno);
  if (!S_ISREG(status.st_mode) || status.st_ino != site.inode) {
    return Fail(ErrorCode::kUnsupported, site.function + " is in no file");
  }
  return file;
}

// Calls `visit` for every entry of a hash map. Entries that come or go meanwhile may be missed.
template <class Key, class Value, class Visit>
Status ForEachEntry(int map, std::uint32_t batch, Visit visit) {
  std::vector<Key> keys(batch);
  std::vector<Value> values(batch);
  std::array<std::uint64_t, 8> cursor{};
  for (bool first = true;; first = false) {
    std::uint32_t count = batch;
    const int error = bpf_map_lookup_batch(map, first ? nullptr : cursor.data(), cursor.data(),
                                           keys.data(), values.data(), &count, nullptr);
    // ENOSPC: a bucket with more entries than fit; they are looked at when there are fewer.
    if (error != 0 && errno != ENOENT) return FailErrno("reading a map of holds", errno);
    for (std::uint32_t i = 0; i < count; ++i) visit(keys[i], values[i]);
    if (error != 0) return {};
  }
}

class BpfHoldTracer final : public HoldTracer {
 public:
  BpfHoldTracer(Skeleton skeleton, const HoldsPlan& plan)
      : skeleton_(std::move(skeleton)), cookies_(plan.attach_cookie), multi_(plan.uprobe_multi) {}

  ~BpfHoldTracer() override {
    std::vector<Link> links;
    for (Armed& armed : probes_) MoveLinks(armed, links);
    TakeOff(std::move(links));
  }
  BpfHoldTracer(const BpfHoldTracer&) = delete;
  BpfHoldTracer(BpfHoldTracer&&) = delete;
  BpfHoldTracer& operator=(const BpfHoldTracer&) = delete;
  BpfHoldTracer& operator=(BpfHoldTracer&&) = delete;

  Status Attach() {
    for (bpf_program* program : {skeleton_->progs.ct_hold_exit, skeleton_->progs.ct_hold_exec}) {
      Link link(bpf_program__attach(program));
      if (!link) return LoadError("attaching to the end of threads", -errno);
      always_.push_back(std::move(link));
    }
    ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.records), &OnRecord, this, nullptr));
    if (!ring_) return LoadError("opening the ring buffer", -errno);
    return {};
  }

  // kUnsupported: calls of other threads are not seen.
  Status Calibrate() {
    for (const bool emulated : {true, false}) {
      constexpr std::uint64_t kCalls = 200;
      const DurationNs before = TimeCalibrationPair(emulated, kCalls);
      const Result<CalibrationPair> pair = CalibrationProbes(emulated);
      if (!pair) return Fail(pair.error());
      const Result<ProbeId> release = Arm(getpid(), pair->release);
      if (!release) return Fail(release.error());
      const Result<ProbeId> acquire = Arm(getpid(), pair->acquire);
      if (!acquire) return Fail(acquire.error());
      const DurationNs with = TimeCalibrationPair(emulated, kCalls);
      (emulated ? costs_.emulated : costs_.single_stepped) =
          std::max<DurationNs>(1, (with - before) / 2);
      const auto hits = Hits();
      Disarm({*acquire, *release});
      if (!hits) return Fail(hits.error());
      // A perf event's program may be left out for another; a link's is not.
      if (multi_ && (*hits)[*acquire].entries < kCalls * kCalibrationRounds) {
        return Fail(ErrorCode::kUnsupported, "uprobes do not see calls of other threads");
      }
    }
    Forget(getpid());
    return {};
  }

  [[nodiscard]] const HoldCosts& costs() const override { return costs_; }

  Result<ProbeId> Arm(pid_t pid, const HoldProbe& probe) override {
    const ProbeSite& site = probe.site;
    if (site.map_begin > site.entry_address || site.entry_address >= site.map_end ||
        site.pushed > kMaxPushed || probe.key_argument > 5 || probe.unit_argument > 5) {
      return Fail(ErrorCode::kMalformed, "a probe that cannot be");
    }
    if (probes_.size() >= kMaxProbes) {
      return Fail(ErrorCode::kUnsupported, fmt::format("more than {} probes", kMaxProbes));
    }
    const Result<UniqueFd> file = OpenMapped(pid, site);
    if (!file) return Fail(file.error());
    const auto id = static_cast<ProbeId>(probes_.size());
    const ct_hold_probe raw =
        DescribeProbe(pid, FamilyOf(probe.family), probe, pythons_.contains(pid));
    if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.probes), &id, &raw, BPF_ANY) != 0) {
      return FailErrno("describing a probe", errno);
    }
    Armed& armed = probes_.emplace_back();
    armed.pid = pid;
    armed.probe = probe;
    // What ends is followed before what begins.
    Status status = AttachAll(pid, id, *file, skeleton_->progs.ct_returned, site.returns, armed);
    if (status) {
      status = AttachAll(pid, id, *file, ProgramOf(probe.role), {site.entry_offset}, armed);
    }
    if (status) return id;
    armed.links.clear();
    TurnOff(id);
    return Fail(status.error().With(site.function));
  }

  void Disarm(const std::vector<ProbeId>& probes) override {
    for (const ProbeId id : probes) TurnOff(id);
    // First none counts any more: taking them off takes a while.
    ++skeleton_->bss->epoch;
    // And the hottest first: until it is off each call still traps.
    std::vector<ProbeId> order = probes;
    if (const auto hits = Hits()) {
      std::stable_sort(order.begin(), order.end(), [&](ProbeId a, ProbeId b) {
        return a < hits->size() && b < hits->size() && (*hits)[a].entries > (*hits)[b].entries;
      });
    }
    std::vector<Link> links;
    for (const ProbeId id : order) {
      if (id < probes_.size()) MoveLinks(probes_[id], links);
    }
    TakeOff(std::move(links));
  }

  [[nodiscard]] const HoldProbe& Probe(ProbeId id) const override {
    static const HoldProbe kNone;
    return id < probes_.size() ? probes_[id].probe : kNone;
  }

  Result<std::vector<ProbeHits>> Hits() override {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return FailErrno("counting CPUs", -cpus);
    std::vector<ct_hold_hits> per_cpu(static_cast<std::size_t>(cpus));
    std::vector<ProbeHits> all(probes_.size());
    for (std::uint32_t id = 0; id < all.size(); ++id) {
      if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.hits), &id, per_cpu.data()) != 0) {
        return FailErrno("reading the hits of probes", errno);
      }
      for (const ct_hold_hits& cpu : per_cpu) {
        all[id].entries += cpu.entries;
        all[id].returns += cpu.returns;
      }
    }
    return all;
  }

  void Forget(pid_t pid) override {
    std::vector<ProbeId> own;
    for (ProbeId id = 0; id < probes_.size(); ++id) {
      if (probes_[id].pid == pid && !probes_[id].off) own.push_back(id);
    }
    Disarm(own);
    const auto tgid = static_cast<std::uint32_t>(pid);
    const auto of_process = [&](const auto& key) { return key.tgid == tgid; };
    Erase<ct_hold_key, ct_hold_statistics>(skeleton_->maps.locks, of_process);
    Erase<ct_order_key, ct_order_sightings>(skeleton_->maps.orders, of_process);
    Erase<ct_address_key, std::uint8_t>(skeleton_->maps.ordered, of_process);
    Erase<ct_unit_key, ct_unit_holder>(skeleton_->maps.units, of_process);
    std::vector<std::uint32_t> tids;
    const auto keep = [&](std::uint32_t tid, const ct_thread_holds& holds) {
      if (holds.tgid == tgid) tids.push_back(tid);
    };
    const int threads = bpf_map__fd(skeleton_->maps.threads);
    static_cast<void>(ForEachEntry<std::uint32_t, ct_thread_holds>(threads, kThreadBatch, keep));
    for (const std::uint32_t tid : tids) bpf_map_delete_elem(threads, &tid);
    bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.pythons), &tgid);
    pythons_.erase(pid);
  }

  Status SetPython(pid_t pid, const FrameProbe& probe) override {
    if (!IsSane(probe)) return Fail(ErrorCode::kMalformed, "frames of Python that cannot be");
    const ct_frame_probe raw = DescribeFrames(probe);
    const auto tgid = static_cast<std::uint32_t>(pid);
    if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.pythons), &tgid, &raw, BPF_ANY) != 0) {
      return FailErrno("describing a process of Python", errno);
    }
    pythons_.insert(pid);
    return {};
  }

  Status Receive() override {
    at_once_ = 0;
    const int consumed = ring_buffer__consume(ring_.get());
    if (consumed < 0 && consumed != -kEnough) {
      return FailErrno("reading the records of holds", -consumed);
    }
    return {};
  }

  std::vector<HoldEvent> Take() override {
    return order_.TakeUntil(MonotonicNow() - kOrderHorizon);
  }

  void ForgetOrders(std::span<const HoldKey> locks) override {
    std::set<std::pair<std::uint32_t, std::uint64_t>> ended;
    for (const HoldKey& lock : locks) {
      ended.emplace(static_cast<std::uint32_t>(lock.pid), lock.address);
    }
    Erase<ct_order_key, ct_order_sightings>(skeleton_->maps.orders, [&](const ct_order_key& key) {
      return ended.contains({key.tgid, key.held}) || ended.contains({key.tgid, key.wanted});
    });
  }

  Result<std::vector<ThreadHolds>> Threads() override {
    std::vector<ThreadHolds> threads;
    const auto add = [&](std::uint32_t tid, const ct_thread_holds& holds) {
      threads.push_back(ParseThreadHolds(static_cast<pid_t>(tid), holds));
    };
    const int map = bpf_map__fd(skeleton_->maps.threads);
    if (Status status = ForEachEntry<std::uint32_t, ct_thread_holds>(map, kThreadBatch, add);
        !status) {
      return Fail(status.error());
    }
    for (ThreadHolds& thread : threads) {
      std::erase_if(thread.held, [&](const HeldObject& held) { return !IsCurrent(thread, held); });
    }
    return threads;
  }

  Result<std::deque<HoldCount>> Counts() override {
    std::deque<HoldCount> counts;
    const auto add = [&](const ct_hold_key& key, const ct_hold_statistics& statistics) {
      if (IsOff(statistics.probe)) return;
      counts.push_back(ParseHoldCount(key, statistics));
    };
    const int map = bpf_map__fd(skeleton_->maps.locks);
    if (Status status = ForEachEntry<ct_hold_key, ct_hold_statistics>(map, 4096, add); !status) {
      return Fail(status.error());
    }
    return counts;
  }

  Result<HoldCounters> Counters() override {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return FailErrno("counting CPUs", -cpus);
    std::vector<ct_hold_counters> per_cpu(static_cast<std::size_t>(cpus));
    const std::uint32_t zero = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.counters), &zero, per_cpu.data()) != 0) {
      return FailErrno("reading the counters of holds", errno);
    }
    HoldCounters sum;
    for (const ct_hold_counters& cpu : per_cpu) {
      sum.produced += cpu.produced;
      sum.lost_ring += cpu.lost_ring;
      sum.lost_thread += cpu.lost_thread;
      sum.lost_held += cpu.lost_held;
      sum.lost_lock += cpu.lost_lock;
      sum.lost_edge += cpu.lost_edge;
      sum.lost_unit += cpu.lost_unit;
      sum.unknown_releases += cpu.unknown_releases;
    }
    sum.received = received_;
    sum.malformed = malformed_;
    for (const bpf_program* program :
         {skeleton_->progs.ct_acquire, skeleton_->progs.ct_release, skeleton_->progs.ct_returned,
          skeleton_->progs.ct_condition_wait}) {
      bpf_prog_info info{};
      std::uint32_t size = sizeof(info);
      if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) == 0) {
        sum.missed += info.recursion_misses;
      }
    }
    return sum;
  }

 private:
  static constexpr std::uint32_t kThreadBatch = 256;
  static constexpr std::size_t kMaxAtOnce = 512;
  static constexpr int kEnough = ECANCELED;

  struct Armed {
    pid_t pid = 0;
    HoldProbe probe;
    std::vector<Link> links;
    bool off = false;
  };

  static int OnRecord(void* self, void* data, std::size_t size) {
    auto& tracer = *static_cast<BpfHoldTracer*>(self);
    ++tracer.received_;
    auto event = ParseHoldEvent(std::span(static_cast<const std::byte*>(data), size));
    if (event) {
      tracer.order_.Add(std::move(*event));
    } else {
      ++tracer.malformed_;
    }
    // Who produces as fast as this reads would never let it end. (Those that were handed out are
    // done with, also the last one.)
    return ++tracer.at_once_ < kMaxAtOnce ? 0 : -kEnough;
  }

  [[nodiscard]] bpf_program* ProgramOf(HoldRole role) const {
    switch (role) {
      case HoldRole::kAcquire:
      case HoldRole::kTryAcquire:
        return skeleton_->progs.ct_acquire;
      case HoldRole::kRelease:
        return skeleton_->progs.ct_release;
      case HoldRole::kConditionWait:
        return skeleton_->progs.ct_condition_wait;
      case HoldRole::kBegin:
      case HoldRole::kEnd:
        break;
    }
    return skeleton_->progs.ct_lock_ended;
  }

  std::uint32_t FamilyOf(const std::string& name) {
    return families_.try_emplace(name, static_cast<std::uint32_t>(families_.size() + 1))
        .first->second;
  }

  Status AttachAll(pid_t pid, ProbeId id, const UniqueFd& file, bpf_program* program,
                   const std::vector<std::uint64_t>& offsets, Armed& armed) {
    if (offsets.empty()) return {};
    CollectLibbpfLog();
    const std::string path = fmt::format("/proc/self/fd/{}", file.get());
    const auto keep = [&](bpf_link* attached) -> Status {
      Link link(attached);
      if (!link) return LoadError("attaching a uprobe", -errno);
      armed.links.push_back(std::move(link));
      return {};
    };
    if (multi_) {
      const std::vector<unsigned long> places(offsets.begin(), offsets.end());
      const std::vector<__u64> cookies(offsets.size(), id);
      LIBBPF_OPTS(bpf_uprobe_multi_opts, options);
      options.offsets = places.data();
      options.cookies = cookies.data();
      options.cnt = offsets.size();
      return keep(bpf_program__attach_uprobe_multi(program, pid, path.c_str(), nullptr, &options));
    }
    for (const std::uint64_t offset : offsets) {
      if (Status status = DescribePlace(pid, id, offset, armed); !status) return status;
      LIBBPF_OPTS(bpf_uprobe_opts, options);
      if (cookies_) options.bpf_cookie = id;
      Status status =
          keep(bpf_program__attach_uprobe_opts(program, pid, path.c_str(), offset, &options));
      if (!status) return status;
    }
    return {};
  }

  // Without cookies a hit is known by its address.
  Status DescribePlace(pid_t pid, ProbeId id, std::uint64_t offset, const Armed& armed) {
    if (cookies_) return {};
    const ct_address_key key{
        armed.probe.site.entry_address - armed.probe.site.entry_offset + offset,
        static_cast<std::uint32_t>(pid), 0};
    if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.addresses), &key, &id, BPF_ANY) != 0) {
      return FailErrno("describing where a probe is", errno);
    }
    return {};
  }

  static void MoveLinks(Armed& armed, std::vector<Link>& links) {
    std::move(armed.links.begin(), armed.links.end(), std::back_inserter(links));
    armed.links.clear();
  }

  void TurnOff(ProbeId id) {
    if (id >= probes_.size() || probes_[id].off) return;
    Armed& armed = probes_[id];
    armed.off = true;
    ct_hold_probe raw = DescribeProbe(armed.pid, FamilyOf(armed.probe.family), armed.probe, false);
    raw.off = 1;
    bpf_map_update_elem(bpf_map__fd(skeleton_->maps.probes), &id, &raw, BPF_ANY);
  }

  [[nodiscard]] bool IsOff(ProbeId id) const { return id >= probes_.size() || probes_[id].off; }

  // What was acquired by a probe that is off now, or given back by another thread, is not.
  [[nodiscard]] bool IsCurrent(const ThreadHolds& thread, const HeldObject& held) const {
    if (IsOff(held.probe)) return false;
    if (held.asking || held.unit == 0 || !probes_[held.probe].probe.has_unit) return true;
    const ct_unit_key key{held.address, held.unit, static_cast<std::uint32_t>(thread.pid), 0};
    ct_unit_holder holder;
    return bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.units), &key, &holder) == 0 &&
           static_cast<pid_t>(holder.tid) == thread.tid &&
           static_cast<TimeNs>(holder.since) == held.since;
  }

  template <class Key, class Value, class Predicate>
  void Erase(bpf_map* map, Predicate predicate) {
    std::vector<Key> keys;
    const int fd = bpf_map__fd(map);
    static_cast<void>(ForEachEntry<Key, Value>(fd, 4096, [&](const Key& key, const Value&) {
      if (predicate(key)) keys.push_back(key);
    }));
    for (const Key& key : keys) bpf_map_delete_elem(fd, &key);
  }

  Skeleton skeleton_;
  bool cookies_;
  bool multi_;
  std::vector<Link> always_;
  Ring ring_;
  std::vector<Armed> probes_;  // by ProbeId
  std::unordered_map<std::string, std::uint32_t> families_;
  std::set<pid_t> pythons_;
  TimeOrder<HoldEvent, &HoldEvent::at> order_;
  std::uint64_t received_ = 0;
  std::size_t at_once_ = 0;  // records of this call of Receive
  std::uint64_t malformed_ = 0;
  HoldCosts costs_;
};

Result<std::unique_ptr<HoldTracer>> LoadAs(const HoldsPlan& plan) {
  CollectLibbpfLog();
  Skeleton skeleton(holds_bpf__open());
  if (!skeleton) return LoadError("opening the programs of holds", -errno);
  skeleton->rodata->has_cookie = plan.attach_cookie;
  skeleton->rodata->long_hold = static_cast<std::uint64_t>(plan.long_hold);
  bpf_map__set_max_entries(skeleton->maps.threads, plan.max_threads);
  bpf_map__set_max_entries(skeleton->maps.locks, plan.max_locks);
  bpf_map__set_max_entries(skeleton->maps.orders, plan.max_orders);
  bpf_map__set_max_entries(skeleton->maps.ordered, 2 * plan.max_orders);
  bpf_map__set_max_entries(skeleton->maps.records, plan.ring_bytes);
  if (plan.preallocate) {
    for (bpf_map* map : {skeleton->maps.addresses, skeleton->maps.threads, skeleton->maps.locks,
                         skeleton->maps.orders, skeleton->maps.ordered, skeleton->maps.units}) {
      bpf_map__set_map_flags(map, bpf_map__map_flags(map) & ~static_cast<__u32>(BPF_F_NO_PREALLOC));
    }
  }
  if (plan.uprobe_multi) {
    for (bpf_program* program :
         {skeleton->progs.ct_acquire, skeleton->progs.ct_returned, skeleton->progs.ct_release,
          skeleton->progs.ct_condition_wait, skeleton->progs.ct_lock_ended}) {
      bpf_program__set_expected_attach_type(program, BPF_TRACE_UPROBE_MULTI);
    }
  }
  if (const int error = holds_bpf__load(skeleton.get()); error != 0) {
    return LoadError("loading the programs of holds", error);
  }
  auto tracer = std::make_unique<BpfHoldTracer>(std::move(skeleton), plan);
  if (Status status = tracer->Attach(); !status) return Fail(status.error());
  if (Status status = tracer->Calibrate(); !status) return Fail(status.error());
  return tracer;
}

}  // namespace

Result<std::unique_ptr<HoldTracer>> HoldTracer::Load(const HoldsPlan& plan) {
  Result<std::unique_ptr<HoldTracer>> tracer = LoadAs(plan);
  if (tracer || !plan.uprobe_multi) return tracer;
  HoldsPlan without = plan;
  without.uprobe_multi = false;
  return LoadAs(without);
}

}  // namespace ct
