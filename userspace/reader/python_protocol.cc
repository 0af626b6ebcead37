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
    for (const PythonThread& thread : process.threads) {
      if (Status status = SendIfFull(Add(thread)); !status) return status;
    }
    for (const PythonTask& task : process.tasks) {
      if (Status status = SendIfFull(Add(task)); !status) return status;
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

  std::size_t Add(const PythonAwait& wait, wire::PythonAwait& to) {
    to.set_kind(static_cast<std::uint32_t>(wait.kind));
    to.set_future(wait.future);
    to.mutable_children()->Assign(wait.children.begin(), wait.children.end());
    to.set_type(TypeIndex(wait.type));
    to.set_object(wait.object);
    to.set_attribute(wait.attribute);
    return wait.children.size();
  }

  template <class Message>
  std::size_t AddFrames(const std::vector<PythonFrame>& frames, Message& message) {
    std::size_t weight = frames.size() + 1;
    for (const PythonFrame& frame : frames) {
      wire::PythonFrame& to = *message.add_frames();
      to.set_code(frame.code);
      to.set_line(frame.line);
      to.set_address(frame.address);
      weight += frame.holds.size();
      for (const PythonHold& hold : frame.holds) {
        wire::PythonHold& held = *to.add_holds();
        held.set_type(TypeIndex(hold.type));
        held.set_object(hold.object);
        held.set_entering(hold.entering);
        held.set_is_async(hold.is_async);
        held.set_through(hold.through);
      }
    }
    return weight;
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
    to.set_task_name(thread.task_name);
    to.set_instruction(thread.instruction);
    to.set_at_one_instruction(thread.at_one_instruction);
    if (thread.iteration_began) to.set_iteration_began(*thread.iteration_began);
    if (thread.activity) Add(*thread.activity, *to.mutable_activity());
    to.set_name(thread.name);
    to.set_timed(thread.timed);
    if (thread.deadline) to.set_deadline(*thread.deadline);
    return AddFrames(thread.frames, to) + Add(thread.waits_for, *to.mutable_waits_for());
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
    return AddFrames(task.frames, to) + Add(task.waits_for, *to.mutable_waits_for());
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
    if (!Spend(holds_left_, static_cast<std::uint64_t>(row.holds_size()))) return frames;
    for (const wire::PythonHold& held : row.holds()) {
      frame.holds.push_back({Type(part, held.type()), held.object(), held.entering(),
                             held.is_async(), held.through()});
    }
  }
  return frames;
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
  thread.task_name = Text(from.task_name());
  thread.instruction = from.instruction();
  thread.at_one_instruction = from.at_one_instruction();
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
  task.waits_for = TakeAwait(part, from.waits_for());
  if (from.has_deadline()) task.deadline = from.deadline();
  task.deadline_frame = from.deadline_frame() < task.frames.size() ? from.deadline_frame() : 0;
  return task;
}

Status PythonIntake::Take(const Part& part) {
  if (!process_) process_.emplace();
  process_->version = part.version();
  const auto count = [](int size) { return static_cast<std::uint64_t>(size); };
  Spend(codes_left_, count(part.codes_size()));
  Spend(threads_left_, count(part.threads_size()));
  Spend(tasks_left_, count(part.tasks_size()));
  Spend(others_left_,
        count(part.gils_size()) + count(part.skips_size()) + count(part.locks_size()));
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
    for (const wire::PythonSkip& skip : part.skips()) {
      process_->skips.push_back({Text(skip.reason()), skip.count()});
    }
    for (const wire::PythonThread& from : part.threads()) {
      process_->threads.push_back(TakeThread(part, from));
    }
    for (const wire::PythonTask& task : part.tasks()) {
      process_->tasks.push_back(TakeTask(part, task));
    }
  }
  if (too_much_) return Fail(ErrorCode::kMalformed, "more of a Python process than there can be");
  return {};
}

std::optional<PythonProcess> PythonIntake::Finish() {
  if (!process_) return std::nullopt;
  // A frame without its code says nothing, and would be looked up.
  const auto check = [this](std::vector<PythonFrame>& frames) {
    std::erase_if(
        frames, [this](const PythonFrame& frame) { return frame.code >= process_->codes.size(); });
  };
  for (PythonThread& thread : process_->threads) check(thread.frames);
  for (PythonTask& task : process_->tasks) {
    check(task.frames);
    if (task.deadline_frame >= task.frames.size()) task.deadline_frame = 0;
  }
  return std::exchange(process_, std::nullopt);
}

}  // namespace ct
