#include "reader/python_protocol.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/text.h"

namespace ct {
namespace {

namespace wire = concurrency_tracer::internal;

// Frames, holds, children and codes of one part, except that a task is never split: far below
// the limit of one message.
constexpr std::size_t kPartWeight = 16'384;

template <class Enum>
Enum Bounded(std::uint32_t value, Enum last, Enum otherwise) {
  return value <= static_cast<std::uint32_t>(last) ? static_cast<Enum>(value) : otherwise;
}

class Splitter {
 public:
  explicit Splitter(const SendPythonPart& send) : send_(send) {}

  Status Run(const PythonProcess& process) {
    part_.set_version(process.version);
    for (const PythonGil& gil : process.gils) Add(gil);
    for (const PythonLock& lock : process.locks) Add(lock);
    for (const PythonSkip& skip : process.skips) {
      wire::PythonSkip& to = *part_.add_skips();
      to.set_reason(skip.reason);
      to.set_count(skip.count);
    }
    for (const PythonCode& code : process.codes) {
      wire::PythonCode& to = *part_.add_codes();
      to.set_function(code.function);
      to.set_file(code.file);
      if (Status status = SendIfFull(1); !status) return status;
    }
    for (const PythonCompletion& completion : process.completions) {
      if (Status status = SendIfFull(Add(completion)); !status) return status;
    }
    for (const PythonThread& thread : process.threads) {
      if (Status status = SendIfFull(Add(thread)); !status) return status;
    }
    for (const PythonTask& task : process.tasks) {
      if (Status status = SendIfFull(Add(task)); !status) return status;
    }
    for (const PythonPool& pool : process.pools) {
      if (Status status = SendIfFull(Add(pool)); !status) return status;
    }
    for (const PythonFailure& failure : process.failures) {
      if (Status status = SendIfFull(Add(failure)); !status) return status;
    }
    for (const PythonUnawaited& coroutine : process.unawaited) {
      wire::PythonUnawaited& to = *part_.add_unawaited();
      to.set_coroutine(coroutine.coroutine);
      to.set_code(coroutine.code);
      to.set_line(coroutine.line);
      to.set_referrer(coroutine.referrer);
      if (Status status = SendIfFull(1); !status) return status;
    }
    for (const PythonAbandonedLock& lock : process.abandoned) {
      wire::PythonAbandonedLock& to = *part_.add_abandoned();
      to.set_lock(lock.lock);
      if (Status status = SendIfFull(AddFrames(lock.takers, *to.mutable_takers())); !status) {
        return status;
      }
    }
    return Send();
  }

 private:
  Status SendIfFull(std::size_t weight) {
    weight_ += weight;
    return weight_ >= kPartWeight ? Send() : Status();
  }

  Status Send() {
    types_.clear();
    weight_ = 0;
    const std::uint32_t version = part_.version();
    Status status = send_(std::exchange(part_, {}));
    part_.set_version(version);
    return status;
  }

  std::uint32_t TypeIndex(const std::string& type) {
    const auto [entry, is_new] =
        types_.try_emplace(type, static_cast<std::uint32_t>(part_.types_size()));
    if (is_new) part_.add_types(type);
    return entry->second;
  }

  void Add(const PythonGil& gil) {
    wire::PythonGil& to = *part_.add_gils();
    to.set_address(gil.address);
    to.set_size(gil.size);
    to.set_held(gil.held);
    to.set_holder(gil.holder);
    to.set_collecting(gil.collecting);
  }

  void Add(const PythonLock& lock) {
    wire::PythonLock& to = *part_.add_locks();
    to.set_address(lock.address);
    to.set_locked(lock.locked);
    to.set_keeps_owner(lock.keeps_owner);
    to.set_owner(lock.owner);
  }

  std::size_t Add(const PythonCompletion& completion) {
    wire::PythonCompletion& to = *part_.add_completions();
    to.set_future(completion.future);
    to.set_queued(completion.queued);
    to.mutable_threads()->Assign(completion.threads.begin(), completion.threads.end());
    to.mutable_tasks()->Assign(completion.tasks.begin(), completion.tasks.end());
    return 1 + completion.threads.size() + completion.tasks.size();
  }

  std::size_t Add(const PythonAwait& wait, wire::PythonAwait& to) {
    to.set_kind(static_cast<std::uint32_t>(wait.kind));
    to.set_future(wait.future);
    to.mutable_children()->Assign(wait.children.begin(), wait.children.end());
    to.set_type(TypeIndex(wait.type));
    to.set_object(wait.object);
    to.set_attribute(wait.attribute);
    to.set_pool(wait.pool);
    to.set_unreferenced(wait.unreferenced);
    return wait.children.size();
  }

  using Frames = google::protobuf::RepeatedPtrField<wire::PythonFrame>;

  std::size_t AddFrames(const std::vector<PythonFrame>& frames, Frames& message) {
    std::size_t weight = frames.size() + 1;
    for (const PythonFrame& frame : frames) {
      wire::PythonFrame& to = *message.Add();
      to.set_code(frame.code);
      to.set_line(frame.line);
      to.set_address(frame.address);
      to.set_entry(frame.entry);
      to.set_of_pool(frame.of_pool);
      weight += frame.holds.size();
      for (const PythonHold& hold : frame.holds) {
        wire::PythonHold& held = *to.add_holds();
        held.set_type(TypeIndex(hold.type));
        held.set_object(hold.object);
        held.set_entering(hold.entering);
        held.set_is_async(hold.is_async);
        held.set_through(hold.through);
        held.set_bare(hold.bare);
      }
    }
    return weight;
  }

  template <class Message>
  void AddUses(const std::vector<PythonUse>& uses, Message& message) {
    for (const PythonUse& use : uses) {
      wire::PythonUse& to = *message.add_uses();
      to.set_type(TypeIndex(use.type));
      to.set_object(use.object);
      to.set_frame(use.frame);
      to.set_attribute(use.attribute);
      to.set_read_line(use.read_line);
    }
  }

  std::size_t Add(const PythonThread& thread) {
    wire::PythonThread& to = *part_.add_threads();
    to.set_native_id(thread.native_id);
    to.set_address(thread.address);
    to.set_ident(thread.ident);
    to.set_truncated(thread.truncated);
    to.set_running_loop(thread.running_loop);
    to.set_running_task(thread.running_task);
    to.set_host_tid(thread.host_tid);
    to.set_asleep(thread.asleep);
    to.set_switches(thread.switches);
    AddUses(thread.uses, to);
    to.set_task_name(thread.task_name);
    to.set_instruction(thread.instruction);
    to.set_at_one_instruction(thread.at_one_instruction);
    to.set_moved(thread.moved);
    if (thread.iteration_began) to.set_iteration_began(*thread.iteration_began);
    if (thread.activity) Add(*thread.activity, *to.mutable_activity());
    to.set_name(thread.name);
    to.set_timed(thread.timed);
    if (thread.deadline) to.set_deadline(*thread.deadline);
    return AddFrames(thread.frames, *to.mutable_frames()) +
           Add(thread.waits_for, *to.mutable_waits_for());
  }

  static void Add(const ThreadActivity& activity, wire::ThreadActivity& to) {
    to.set_state(static_cast<unsigned char>(activity.state));
    to.set_syscall(activity.syscall);
    to.mutable_arguments()->Assign(activity.arguments.begin(), activity.arguments.end());
    to.set_object(activity.object);
    to.set_cpu_ns(activity.cpu);
    to.set_queued_ns(activity.queued);
    to.set_read_at_ns(activity.read_at);
  }

  std::size_t Add(const PythonTask& task) {
    wire::PythonTask& to = *part_.add_tasks();
    to.set_address(task.address);
    to.set_name(task.name);
    to.set_state(static_cast<std::uint32_t>(task.state));
    to.set_loop(task.loop);
    to.set_thread(task.thread);
    to.set_truncated(task.truncated);
    if (task.deadline) to.set_deadline(*task.deadline);
    to.set_deadline_frame(task.deadline_frame);
    AddUses(task.uses, to);
    to.set_request(task.request);
    to.set_client(task.client);
    if (task.not_before) to.set_not_before(*task.not_before);
    to.set_began_then(task.began_then);
    return AddFrames(task.frames, *to.mutable_frames()) +
           Add(task.waits_for, *to.mutable_waits_for());
  }

  std::size_t Add(const PythonFailure& failure) {
    wire::PythonFailure& to = *part_.add_failures();
    to.set_future(failure.future);
    to.set_is_task(failure.is_task);
    to.set_name(failure.name);
    to.set_type(failure.type);
    to.set_message(failure.message);
    to.set_referrer(failure.referrer);
    to.set_may_be_asked_for(failure.may_be_asked_for);
    return AddFrames(failure.raised, *to.mutable_raised()) +
           AddFrames(failure.created, *to.mutable_created());
  }

  std::size_t Add(const PythonPool& pool) {
    wire::PythonPool& to = *part_.add_pools();
    to.set_object(pool.object);
    to.set_type(TypeIndex(pool.type));
    if (pool.capacity) to.set_capacity(*pool.capacity);
    to.set_idle(pool.idle);
    to.set_in_use(pool.in_use);
    to.set_complete(pool.complete);
    to.set_inferred(pool.inferred);
    std::size_t weight = 1 + pool.units.size();
    for (const PythonUnit& unit : pool.units) {
      wire::PythonUnit& row = *to.add_units();
      row.set_object(unit.object);
      row.set_type(TypeIndex(unit.type));
      row.set_referrer(unit.referrer);
      weight += unit.holders.size();
      for (const PythonUnitHolder& holder : unit.holders) {
        wire::PythonUnitHolder& held = *row.add_holders();
        held.set_task(holder.task);
        held.set_thread(holder.thread);
        held.set_frame(holder.frame);
        held.set_hops(holder.hops);
        held.set_in_block(holder.in_block);
      }
    }
    return weight;
  }

  const SendPythonPart& send_;
  wire::PythonReading part_;
  std::unordered_map<std::string, std::uint32_t> types_;
  std::size_t weight_ = 0;
};

}  // namespace

Status SplitPython(const PythonProcess& process, const SendPythonPart& send) {
  return Splitter(send).Run(process);
}

bool PythonIntake::Spend(std::uint64_t& left, std::uint64_t count) {
  if (count > left) too_much_ = true;
  if (too_much_) return false;
  left -= count;
  return true;
}

std::string PythonIntake::Text(const std::string& bytes) {
  return Spend(text_left_, bytes.size()) ? CleanText(bytes) : "";
}

std::string PythonIntake::Type(const Part& part, std::uint32_t index) {
  const bool known = index < static_cast<std::uint32_t>(part.types_size());
  return known ? Text(part.types(static_cast<int>(index))) : "";
}

std::vector<PythonFrame> PythonIntake::TakeFrames(const Part& part, const Frames& from) {
  std::vector<PythonFrame> frames;
  if (!Spend(frames_left_, static_cast<std::uint64_t>(from.size()))) return frames;
  frames.reserve(static_cast<std::size_t>(from.size()));
  for (const wire::PythonFrame& row : from) {
    PythonFrame& frame = frames.emplace_back();
    frame.code = row.code();
    frame.line = row.line();
    frame.address = row.address();
    frame.entry = row.entry();
    frame.of_pool = row.of_pool();
    if (!Spend(holds_left_, static_cast<std::uint64_t>(row.holds_size()))) return frames;
    for (const wire::PythonHold& held : row.holds()) {
      frame.holds.push_back({Type(part, held.type()), held.object(), held.entering(),
                             held.is_async(), held.through(), held.bare()});
    }
  }
  return frames;
}

std::vector<PythonUse> PythonIntake::TakeUses(
    const Part& part, const google::protobuf::RepeatedPtrField<wire::PythonUse>& from) {
  std::vector<PythonUse> uses;
  if (!Spend(uses_left_, static_cast<std::uint64_t>(from.size()))) return uses;
  for (const wire::PythonUse& use : from) {
    uses.push_back({Type(part, use.type()), use.object(), use.frame(), Text(use.attribute()),
                    use.read_line()});
  }
  return uses;
}

PythonAwait PythonIntake::TakeAwait(const Part& part, const wire::PythonAwait& from) {
  PythonAwait wait;
  wait.kind = Bounded(from.kind(), PythonAwaitKind::kGil, PythonAwaitKind::kUnknown);
  wait.future = from.future();
  if (Spend(children_left_, static_cast<std::uint64_t>(from.children_size()))) {
    wait.children.assign(from.children().begin(), from.children().end());
  }
  wait.type = Type(part, from.type());
  wait.object = from.object();
  wait.attribute = Text(from.attribute());
  wait.pool = from.pool();
  wait.unreferenced = from.unreferenced();
  return wait;
}

PythonThread PythonIntake::TakeThread(const Part& part, const wire::PythonThread& from) {
  PythonThread thread;
  thread.native_id = from.native_id();
  thread.address = from.address();
  thread.ident = from.ident();
  thread.name = Text(from.name());
  thread.frames = TakeFrames(part, from.frames());
  thread.truncated = from.truncated();
  thread.running_loop = from.running_loop();
  thread.running_task = from.running_task();
  thread.uses = TakeUses(part, from.uses());
  thread.task_name = Text(from.task_name());
  thread.instruction = from.instruction();
  thread.at_one_instruction = from.at_one_instruction();
  thread.moved = from.moved();
  if (from.has_iteration_began()) thread.iteration_began = from.iteration_began();
  if (from.has_activity()) {
    const wire::ThreadActivity& row = from.activity();
    ThreadActivity& activity = thread.activity.emplace();
    activity.state = static_cast<char>(row.state() & 0x7f);
    activity.syscall = row.syscall();
    std::copy_n(row.arguments().begin(),
                std::min<std::size_t>(static_cast<std::size_t>(row.arguments_size()),
                                      activity.arguments.size()),
                activity.arguments.begin());
    activity.object = Text(row.object());
    activity.cpu = row.cpu_ns();
    activity.queued = row.queued_ns();
    activity.read_at = row.read_at_ns();
  }
  thread.waits_for = TakeAwait(part, from.waits_for());
  thread.timed = from.timed();
  if (from.has_deadline()) thread.deadline = from.deadline();
  thread.host_tid = from.host_tid();
  thread.asleep = from.asleep();
  thread.switches = from.switches();
  return thread;
}

PythonTask PythonIntake::TakeTask(const Part& part, const wire::PythonTask& from) {
  PythonTask task;
  task.address = from.address();
  task.name = Text(from.name());
  task.state = Bounded(from.state(), PythonTaskState::kCancelled, PythonTaskState::kRunnable);
  task.loop = from.loop();
  task.thread = from.thread();
  task.frames = TakeFrames(part, from.frames());
  task.truncated = from.truncated();
  task.uses = TakeUses(part, from.uses());
  task.waits_for = TakeAwait(part, from.waits_for());
  if (from.has_deadline()) task.deadline = from.deadline();
  task.deadline_frame = from.deadline_frame() < task.frames.size() ? from.deadline_frame() : 0;
  task.request = Text(from.request());
  task.client = Text(from.client());
  if (from.has_not_before()) task.not_before = from.not_before();
  task.began_then = from.began_then();
  return task;
}

PythonPool PythonIntake::TakePool(const Part& part, const wire::PythonPool& from) {
  PythonPool pool;
  pool.object = from.object();
  pool.type = Type(part, from.type());
  if (from.has_capacity()) pool.capacity = from.capacity();
  pool.idle = from.idle();
  pool.in_use = from.in_use();
  pool.complete = from.complete();
  pool.inferred = from.inferred();
  if (!Spend(units_left_, static_cast<std::uint64_t>(from.units_size()))) return pool;
  for (const wire::PythonUnit& row : from.units()) {
    PythonUnit& unit = pool.units.emplace_back();
    unit.object = row.object();
    unit.type = Type(part, row.type());
    unit.referrer = Text(row.referrer());
    if (!Spend(units_left_, static_cast<std::uint64_t>(row.holders_size()))) return pool;
    for (const wire::PythonUnitHolder& held : row.holders()) {
      unit.holders.push_back(
          {held.task(), held.thread(), held.frame(), held.hops(), held.in_block()});
    }
  }
  return pool;
}

PythonFailure PythonIntake::TakeFailure(const Part& part, const wire::PythonFailure& from) {
  PythonFailure failure;
  failure.future = from.future();
  failure.is_task = from.is_task();
  failure.name = Text(from.name());
  failure.type = Text(from.type());
  failure.message = Text(from.message());
  failure.raised = TakeFrames(part, from.raised());
  failure.created = TakeFrames(part, from.created());
  failure.referrer = Text(from.referrer());
  failure.may_be_asked_for = from.may_be_asked_for();
  return failure;
}

Status PythonIntake::Take(const Part& part) {
  if (!process_) process_.emplace();
  process_->version = part.version();
  const auto count = [](int size) { return static_cast<std::uint64_t>(size); };
  Spend(codes_left_, count(part.codes_size()));
  Spend(threads_left_, count(part.threads_size()));
  Spend(tasks_left_, count(part.tasks_size()));
  Spend(others_left_, count(part.gils_size()) + count(part.skips_size()) +
                          count(part.locks_size()) + count(part.pools_size()));
  Spend(forgotten_left_,
        count(part.failures_size()) + count(part.unawaited_size()) + count(part.abandoned_size()));
  if (!too_much_) {
    for (const wire::PythonCode& code : part.codes()) {
      process_->codes.push_back({Text(code.function()), Text(code.file())});
    }
    for (const wire::PythonGil& gil : part.gils()) {
      process_->gils.push_back(
          {gil.address(), gil.size(), gil.held(), gil.holder(), gil.collecting()});
    }
    for (const wire::PythonLock& lock : part.locks()) {
      process_->locks.push_back({lock.address(), lock.locked(), lock.keeps_owner(), lock.owner()});
    }
    for (const wire::PythonCompletion& completion : part.completions()) {
      if (!Spend(children_left_,
                 count(completion.threads_size()) + count(completion.tasks_size()) + 1)) {
        break;
      }
      process_->completions.push_back({completion.future(),
                                       completion.queued(),
                                       {completion.threads().begin(), completion.threads().end()},
                                       {completion.tasks().begin(), completion.tasks().end()}});
    }
    for (const wire::PythonSkip& skip : part.skips()) {
      process_->skips.push_back({Text(skip.reason()), skip.count()});
    }
    for (const wire::PythonThread& from : part.threads()) {
      process_->threads.push_back(TakeThread(part, from));
    }
    for (const wire::PythonTask& task : part.tasks()) {
      process_->tasks.push_back(TakeTask(part, task));
    }
    for (const wire::PythonPool& pool : part.pools()) {
      process_->pools.push_back(TakePool(part, pool));
    }
    for (const wire::PythonFailure& failure : part.failures()) {
      process_->failures.push_back(TakeFailure(part, failure));
    }
    for (const wire::PythonUnawaited& from : part.unawaited()) {
      process_->unawaited.push_back(
          {from.coroutine(), from.code(), from.line(), Text(from.referrer())});
    }
    for (const wire::PythonAbandonedLock& lock : part.abandoned()) {
      process_->abandoned.push_back({lock.lock(), TakeFrames(part, lock.takers())});
    }
  }
  if (too_much_) return Fail(ErrorCode::kMalformed, "more of a Python process than there can be");
  return {};
}

std::optional<PythonProcess> PythonIntake::Finish() {
  if (!process_) return std::nullopt;
  // Of a use the frame is asked for by its number.
  const auto check_uses = [](std::vector<PythonUse>& uses, std::size_t frames) {
    std::erase_if(uses, [&](const PythonUse& use) { return use.frame >= frames; });
  };
  // A frame without its code says nothing, and would be looked up.
  const auto check = [this](std::vector<PythonFrame>& frames) {
    std::erase_if(
        frames, [this](const PythonFrame& frame) { return frame.code >= process_->codes.size(); });
  };
  for (PythonThread& thread : process_->threads) {
    check(thread.frames);
    check_uses(thread.uses, thread.frames.size());
  }
  for (PythonTask& task : process_->tasks) {
    check(task.frames);
    check_uses(task.uses, task.frames.size());
    if (task.deadline_frame >= task.frames.size()) task.deadline_frame = 0;
  }
  for (PythonAbandonedLock& lock : process_->abandoned) check(lock.takers);
  for (PythonFailure& failure : process_->failures) {
    check(failure.raised);
    check(failure.created);
  }
  std::erase_if(process_->unawaited, [this](const PythonUnawaited& coroutine) {
    return coroutine.code >= process_->codes.size();
  });
  return std::exchange(process_, std::nullopt);
}

}  // namespace ct
