#include "observe/task_origins.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

namespace ct {
namespace {

// A process that has not imported asyncio is asked again.
constexpr DurationNs kAskAgain = kSecond;
// Of one look; those beyond it are read in the next.
constexpr std::size_t kMaxPoints = 16 * kMaxCodePoints;

bool IsOver(const PythonTask& task) {
  return task.state == PythonTaskState::kFinished || task.state == PythonTaskState::kCancelled;
}

}  // namespace

Status TaskOrigins::Attach(pid_t pid, Process& process) {
  ProcessToRead request;
  request.pid = pid;
  request.want_task_probe = true;
  const ProcessRead answer = reader_.Read(request);
  if (!answer.python_error.empty()) return Fail(ErrorCode::kUnsupported, answer.python_error);
  if (!answer.task_probe) return {};
  if (Status status = tracer_.Add(pid, *answer.task_probe); !status) return status;
  process.followed = true;
  return {};
}

void TaskOrigins::Follow(const std::unordered_set<pid_t>& pids) {
  for (auto entry = processes_.begin(); entry != processes_.end();) {
    const pid_t pid = entry->first;
    const bool ended = entry->second.followed && !tracer_.IsAlive(pid);
    if (pids.contains(pid) && !ended) {
      ++entry;
      continue;
    }
    tracer_.Remove(pid);
    books_.erase(pid);
    entry = processes_.erase(entry);
  }
  for (const pid_t pid : pids) {
    Process& process = processes_[pid];
    const TimeNs now = MonotonicNow();
    const bool asked = process.asked_at != 0 && now - process.asked_at < kAskAgain;
    if (process.followed || !process.why_not.empty() || asked) continue;
    process.asked_at = now;
    if (Status status = Attach(pid, process); !status) {
      process.why_not = status.error().message;
    }
  }
}

bool TaskOrigins::follows_any() const {
  return std::any_of(processes_.begin(), processes_.end(),
                     [](const auto& process) { return process.second.followed; });
}

std::uint64_t TaskOrigins::StackMadeBefore(pid_t pid, std::uint64_t task, TimeNs read_at) {
  const auto origin = tracer_.OriginOf(pid, task);
  if (!origin) {
    ++not_known_;
    return 0;
  }
  return origin->made_at <= read_at ? origin->stack : 0;
}

CodePlace TaskOrigins::Keep(const CodePlace& place, const CodePlaces& places, Book& book) {
  const PythonCode& code = places.codes[place.code];
  const auto [entry, is_new] = book.code_index.try_emplace(
      std::pair(code.function, code.file), static_cast<std::uint32_t>(book.codes.size()));
  if (!is_new) return {entry->second, place.line};
  const std::uint64_t size = 2 * (code.function.size() + code.file.size() + sizeof(PythonCode));
  if (size > book.text_left) {
    book.code_index.erase(entry);
    return {};
  }
  book.text_left -= size;
  book.codes.push_back(code);
  return {entry->second, place.line};
}

// Code that was made while the process ran (exec) may go, and other code take its address: what was
// there when the task was made is not known then.
void TaskOrigins::Note(const CodePoint& at, const CodePlace& now, const CodePlaces& places,
                       Book& book) {
  Point& point = book.points[at];
  if (now.code == CodePlace::kUnknown) return;
  if (point.place.code == CodePlace::kUnknown) {
    point.place = Keep(now, places, book);
  } else if (now.line != point.place.line ||
             places.codes[now.code] != book.codes[point.place.code]) {
    point.replaced = true;
  }
}

void TaskOrigins::Resolve(pid_t pid, const Stacks& stacks, Book& book) {
  std::set<CodePoint> wanted;
  for (const auto& [hash, stack] : stacks) {
    for (const CodePoint& frame : stack.frames) {
      if (wanted.size() < kMaxPoints) wanted.insert(frame);
    }
  }
  const std::vector<CodePoint> points(wanted.begin(), wanted.end());
  for (std::size_t begin = 0; begin < points.size(); begin += kMaxCodePoints) {
    const auto part =
        std::span(points).subspan(begin, std::min(kMaxCodePoints, points.size() - begin));
    ProcessToRead request;
    request.pid = pid;
    request.code_points.assign(part.begin(), part.end());
    const ProcessRead answer = reader_.Read(request);
    if (answer.places.places.size() != part.size()) return;  // it has ended, or is not to be read
    for (std::size_t i = 0; i < part.size(); ++i) {
      Note(part[i], answer.places.places[i], answer.places, book);
    }
  }
}

std::map<std::uint64_t, PythonOrigin> TaskOrigins::Words(pid_t pid,
                                                         const std::set<std::uint64_t>& wanted,
                                                         PythonProcess& process) {
  Stacks stacks;
  for (const std::uint64_t hash : wanted) {
    if (auto stack = tracer_.StackOf(pid, hash)) stacks.emplace(hash, std::move(*stack));
  }
  Book& book = books_[pid];
  Resolve(pid, stacks, book);
  std::map<std::uint32_t, std::uint32_t> codes;  // index in the process's, by that in the book's
  std::map<std::uint64_t, PythonOrigin> words;
  for (const auto& [hash, stack] : stacks) {
    PythonOrigin& origin = words[hash];
    origin.truncated = stack.truncated;
    for (const CodePoint& at : stack.frames) {
      const auto found = book.points.find(at);
      const bool known = found != book.points.end() && !found->second.replaced &&
                         found->second.place.code != CodePlace::kUnknown;
      if (!known) {
        ++left_out_;
        continue;
      }
      const CodePlace& place = found->second.place;
      const auto [code, is_new] =
          codes.try_emplace(place.code, static_cast<std::uint32_t>(process.codes.size()));
      if (is_new) process.codes.push_back(book.codes[place.code]);
      PythonFrame& frame = origin.frames.emplace_back();
      frame.code = code->second;
      frame.line = place.line;
    }
  }
  return words;
}

void TaskOrigins::AddToTasks(pid_t pid, TimeNs read_at, PythonProcess& process) {
  const auto known = processes_.find(pid);
  if (known == processes_.end() || !known->second.followed) return;
  std::vector<std::pair<PythonTask*, std::uint64_t>> made;
  std::set<std::uint64_t> wanted;
  for (PythonTask& task : process.tasks) {
    if (IsOver(task)) continue;
    const std::uint64_t stack = StackMadeBefore(pid, task.address, read_at);
    if (stack == 0) continue;
    made.emplace_back(&task, stack);
    wanted.insert(stack);
  }
  auto words = Words(pid, wanted, process);
  std::map<std::uint64_t, std::uint32_t> index;
  for (auto& [hash, origin] : words) {
    index.emplace(hash, static_cast<std::uint32_t>(process.origins.size()));
    process.origins.push_back(std::move(origin));
  }
  for (const auto& [task, stack] : made) {
    const auto found = index.find(stack);
    if (found != index.end()) task->origin = found->second;
  }
}

void TaskOrigins::AddToFailures(pid_t pid, TimeNs read_at, PythonProcess& process) {
  const auto known = processes_.find(pid);
  if (known == processes_.end() || !known->second.followed) return;
  std::vector<std::pair<PythonFailure*, std::uint64_t>> made;
  std::set<std::uint64_t> wanted;
  for (PythonFailure& failure : process.failures) {
    // In debug mode the process itself says it.
    if (!failure.is_task || !failure.created.empty()) continue;
    const std::uint64_t stack = StackMadeBefore(pid, failure.future, read_at);
    if (stack == 0) continue;
    made.emplace_back(&failure, stack);
    wanted.insert(stack);
  }
  const auto words = Words(pid, wanted, process);
  for (const auto& [failure, stack] : made) {
    const auto found = words.find(stack);
    if (found != words.end()) failure->created = found->second.frames;
  }
}

void TaskOrigins::Tell(Observation& observation) {
  for (const auto& [pid, process] : processes_) {
    if (process.why_not.empty()) continue;
    observation.degradations.push_back(
        fmt::format("where tasks of process {} are made is not known: {}", pid, process.why_not));
  }
  const auto lose = [&](std::uint64_t lost, const char* reason) {
    // No finding rests on it.
    if (lost > 0) observation.losses.push_back({reason, lost, false, ""});
  };
  const auto counters = tracer_.Counters();
  if (!counters) return;
  const std::uint64_t lost = counters->lost_thread + counters->lost_frame + counters->lost_stack;
  if (not_known_ > 0) {
    observation.degradations.push_back(fmt::format(
        "{} {} made before the probe{}: where is not known", not_known_,
        not_known_ == 1 ? "task was" : "tasks were",
        lost > 0 || counters->made > TaskOriginTracer::kMaxTasks ? ", or not followed" : ""));
  }
  lose(counters->lost_thread, "tasks' makers: not in the interpreter whose GIL is known");
  lose(counters->lost_frame, "tasks' makers: their frames could not be read");
  lose(counters->lost_stack, "tasks' makers: more different stacks than are kept");
  lose(left_out_, "frames of tasks' makers: their code is no more");
  not_known_ = 0;
  left_out_ = 0;
}

}  // namespace ct
