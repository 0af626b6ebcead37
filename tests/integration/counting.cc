#include "tests/integration/counting.h"

#include <signal.h>

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

class Reader {
 public:
  explicit Reader(const v1::Snapshot& snapshot) : snapshot_(snapshot) {}

  CountedLock Lock(const v1::LockContention& row) const {
    CountedLock lock;
    const v1::Resource& resource = At(snapshot_.resources(), row.resource());
    lock.what = Text(resource.type()).empty() ? "futex" : Text(resource.type());
    if (!Text(resource.symbol()).empty()) lock.what += " " + Text(resource.symbol());
    lock.purpose = Purpose(row);
    lock.waits = row.waits().waits();
    lock.milliseconds = static_cast<double>(row.waits().total_duration_ns()) / kMillisecond;
    lock.longest = static_cast<double>(row.waits().max_duration_ns()) / kMillisecond;
    lock.timeouts = row.waits().timeouts();
    lock.waiters = row.waiters();
    lock.waiting = static_cast<double>(row.waiting_duration_ns()) / kMillisecond;
    for (const auto& stack : row.stacks()) lock.places[Place(stack.stack())] += stack.waits();
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

  // The innermost frame whose source is one of the tests' targets.
  std::string Place(std::uint32_t stack) const {
    for (const std::uint32_t index : At(snapshot_.stacks(), stack).frames()) {
      const v1::Frame& frame = At(snapshot_.frames(), index);
      if (!frame.has_function()) continue;
      const std::string file = Text(At(snapshot_.functions(), frame.function()).file());
      if (file.find("tests/targets/") == std::string::npos) continue;
      return file.substr(file.rfind('/') + 1) + ":" + std::to_string(frame.line());
    }
    return "?";
  }

  const v1::Snapshot& snapshot_;
};

}  // namespace

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
