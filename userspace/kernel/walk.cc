#include "kernel/walk.h"

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include "kernel/libbpf_log.h"
#include "kernel/task_sample.h"

#include <walk.skel.h>

namespace ct {
namespace {

struct SkeletonDeleter {
  void operator()(walk_bpf* skeleton) const { walk_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<walk_bpf, SkeletonDeleter>;

// The elements of a BPF array, which the kernel writes.
template <class Record>
class MappedArray {
 public:
  static Result<MappedArray> Map(const bpf_map* map) {
    // kernel/bpf/arraymap.c rounds elements up to 8 bytes.
    static_assert(sizeof(Record) % 8 == 0);
    const std::size_t size = bpf_map__max_entries(map);
    void* const memory =
        mmap(nullptr, size * sizeof(Record), PROT_READ, MAP_SHARED, bpf_map__fd(map), 0);
    if (memory == MAP_FAILED) return FailErrno("mapping the walk's records", errno);
    return MappedArray(std::span(static_cast<const Record*>(memory), size));
  }
  ~MappedArray() {
    if (!records_.empty()) munmap(const_cast<Record*>(records_.data()), records_.size_bytes());
  }
  MappedArray(MappedArray&& other) noexcept : records_(std::exchange(other.records_, {})) {}
  MappedArray(const MappedArray&) = delete;
  MappedArray& operator=(const MappedArray&) = delete;
  MappedArray& operator=(MappedArray&&) = delete;

  // The first `count`, or all.
  [[nodiscard]] std::span<const Record> First(std::size_t count) const {
    return records_.first(std::min(count, records_.size()));
  }

 private:
  explicit MappedArray(std::span<const Record> records) : records_(records) {}

  std::span<const Record> records_;
};

class BpfWalk final : public Walk {
 public:
  BpfWalk(Skeleton skeleton, MappedArray<ct_still_record> still, MappedArray<ct_task_record> tasks)
      : skeleton_(std::move(skeleton)), still_(std::move(still)), tasks_(std::move(tasks)) {}

  Result<std::optional<TimeNs>> Run(const ct_sweep_request& request, Sweep& sweep) override {
    skeleton_->bss->request = request;
    LIBBPF_OPTS(bpf_test_run_opts, options);
    if (bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.ct_walk), &options) != 0) {
      return FailErrno("running the walk", errno);
    }
    const ct_walk_result& result = skeleton_->bss->result;
    if (result.overflow != 0) return std::nullopt;

    const auto still = still_.First(result.still);
    const auto tasks = tasks_.First(result.tasks);
    sweep.still.resize(still.size());
    std::transform(still.begin(), still.end(), sweep.still.begin(), ParseStill);
    sweep.tasks.reserve(tasks.size());
    for (const ct_task_record& task : tasks) sweep.tasks.push_back(ParseTask(task));
    sweep.visited = result.end.visited;
    sweep.end = static_cast<TimeNs>(result.end.ended);
    sweep.walked = true;
    return static_cast<TimeNs>(result.end.tracer_arrival);
  }

 private:
  Skeleton skeleton_;
  MappedArray<ct_still_record> still_;
  MappedArray<ct_task_record> tasks_;
};

}  // namespace

Result<std::unique_ptr<Walk>> Walk::Load(const SweepPlan& plan) {
  CollectLibbpfLog();
  Skeleton skeleton(walk_bpf__open());
  if (!skeleton) return LoadError("opening the walk program", -errno);
  skeleton->rodata->has_task_pt_regs = plan.registers_by_helper;
  bpf_map__set_max_entries(skeleton->maps.still_records, plan.walk_still);
  bpf_map__set_max_entries(skeleton->maps.task_records, plan.walk_tasks);
  if (const int error = walk_bpf__load(skeleton.get()); error != 0) {
    return LoadError("loading the walk program", error);
  }
  auto still = MappedArray<ct_still_record>::Map(skeleton->maps.still_records);
  if (!still) return Fail(still.error());
  auto tasks = MappedArray<ct_task_record>::Map(skeleton->maps.task_records);
  if (!tasks) return Fail(tasks.error());
  return std::make_unique<BpfWalk>(std::move(skeleton), std::move(*still), std::move(*tasks));
}

}  // namespace ct
