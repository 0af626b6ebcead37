#include "tests/integration/counting.h"

#include <signal.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include <google/protobuf/util/json_util.h>

namespace ct::test {
namespace {

constexpr double kMillisecond = 1e6;

template <class Rows>
const auto& At(const Rows& rows, std::uint32_t index) {
  if (index >= static_cast<std::uint32_t>(rows.size())) {
    throw std::runtime_error("the snapshot refers to a missing row");
  }
  return rows.Get(static_cast<int>(index));
}

std::string FileName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class Reader {
 public:
  explicit Reader(const v1::Snapshot& snapshot) : snapshot_(snapshot) {}

  CountedLock Lock(const v1::LockContention& row) const {
    CountedLock lock;
    const v1::Resource& resource = At(snapshot_.resources(), row.resource());
    lock.what = Text(resource.type()).empty() ? "futex" : Text(resource.type());
    if (!Text(resource.symbol()).empty()) lock.what += " " + Text(resource.symbol());
    lock.pid = At(snapshot_.processes(), row.process()).id().tid();
    lock.purpose = Purpose(row);
    lock.waits = row.waits().waits();
    lock.milliseconds = static_cast<double>(row.waits().total_duration_ns()) / kMillisecond;
    lock.longest = static_cast<double>(row.waits().max_duration_ns()) / kMillisecond;
    lock.timeouts = row.waits().timeouts();
    lock.waiters = row.waiters();
    lock.waiting = static_cast<double>(row.waiting_duration_ns()) / kMillisecond;
    for (const auto& waiting : row.stacks()) {
      const CountedStack stack = Stack(waiting);
      const Strings own = stack.Own();
      lock.places[own.empty() ? "?" : own[0].substr(own[0].rfind(' ') + 1)] += stack.waits;
      lock.stacks.push_back(stack);
    }
    for (const auto& thread : row.threads()) lock.threads[Text(thread.name())] += thread.waits();
    for (const auto& by : row.releasers()) lock.releasers[Text(by.name())] += by.waits();
    for (const auto& by : row.holders()) lock.holders[Text(by.name())] += by.waits();
    return lock;
  }

 private:
  std::string Text(std::uint32_t index) const { return At(snapshot_.strings(), index); }

  static std::string Purpose(const v1::LockContention& row) {
    if (!row.purpose_known()) return "unknown";
    switch (row.purpose()) {
      case v1::WAIT_PURPOSE_ACQUIRE:
        return "acquire";
      case v1::WAIT_PURPOSE_JOIN:
        return "join";
      default:
        return "event";
    }
  }

  CountedStack Stack(const v1::WaitingStack& waiting) const {
    const v1::Stack& row = At(snapshot_.stacks(), waiting.stack());
    CountedStack stack;
    stack.waits = waiting.waits();
    stack.complete = row.end() == v1::STACK_END_COMPLETE;
    for (const std::uint32_t index : row.frames()) stack.frames.push_back(Frame(index));
    return stack;
  }

  CountedFrame Frame(std::uint32_t index) const {
    const v1::Frame& row = At(snapshot_.frames(), index);
    CountedFrame frame;
    frame.inlined = row.inlined();
    if (row.has_module()) {
      frame.module = FileName(Text(At(snapshot_.modules(), row.module()).path()));
    }
    if (!row.has_function()) return frame;
    const v1::Function& function = At(snapshot_.functions(), row.function());
    frame.function = Text(function.name());
    if (row.line() != 0) {
      frame.place = FileName(Text(function.file())) + ":" + std::to_string(row.line());
      frame.own = Text(function.file()).find("tests/targets/") != std::string::npos;
    }
    return frame;
  }

  const v1::Snapshot& snapshot_;
};

}  // namespace

bool CountedStack::Has(const std::string& function) const {
  return std::any_of(frames.begin(), frames.end(), [&](const CountedFrame& frame) {
    return frame.function.starts_with(function);
  });
}

Strings CountedStack::Own() const {
  Strings own;
  for (const CountedFrame& frame : frames) {
    if (frame.own) own.push_back(frame.function + " " + frame.place);
  }
  return own;
}

std::string CountedStack::Text() const {
  std::string text = std::to_string(waits) + (complete ? " waits\n" : " waits, incomplete\n");
  for (const CountedFrame& frame : frames) {
    text += "  " + (frame.function.empty() ? "?" : frame.function) + " " + frame.place + " " +
            frame.module + (frame.inlined ? " inlined\n" : "\n");
  }
  return text;
}

const CountedLock& Counted::Only() const {
  if (locks.size() != 1) {
    throw std::runtime_error(std::to_string(locks.size()) + " rows instead of one: " + run.output);
  }
  return locks.front();
}

std::vector<CountedLock> Counted::Contended() const {
  std::vector<CountedLock> contended;
  for (const CountedLock& lock : locks) {
    if (lock.purpose == "acquire") contended.push_back(lock);
  }
  return contended;
}

std::vector<CountedLock> Counted::Of(pid_t pid) const {
  std::vector<CountedLock> rows;
  std::copy_if(locks.begin(), locks.end(), std::back_inserter(rows),
               [pid](const CountedLock& lock) { return lock.pid == pid; });
  return rows;
}

Counting::Counting(const Strings& arguments) {
  Strings command{TracerPath(), "contention", "--json", "-d", "0"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  child_ = std::make_unique<Child>(command);
  child_->ReadUntilError("counting waits by", std::chrono::seconds(20));
}

Counted Counting::Stop() {
  child_->Signal(SIGINT);
  return Await();
}

Counted Counting::Await() {
  Counted counted;
  counted.run.status = ExitStatusOf(child_->Wait(std::chrono::seconds(30)));
  counted.run.output = child_->output();
  counted.run.error = child_->error();
  const auto status =
      google::protobuf::util::JsonStringToMessage(counted.run.output, &counted.snapshot);
  if (!status.ok()) throw std::runtime_error("no JSON: " + counted.run.output + counted.run.error);
  const Reader reader(counted.snapshot);
  for (const v1::LockContention& row : counted.snapshot.lock_contention()) {
    counted.locks.push_back(reader.Lock(row));
  }
  for (const v1::Observation& observation : counted.snapshot.observations()) {
    for (const v1::Loss& loss : observation.losses()) counted.losses.push_back(loss.reason());
    for (const std::string& line : observation.degradations()) {
      counted.degradations.push_back(line);
    }
  }
  return counted;
}

}  // namespace ct::test
