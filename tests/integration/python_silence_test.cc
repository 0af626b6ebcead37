// Healthy programs of every kind, some at once, each looked at two hundred times: never a word, and
// hardly an object that was torn.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>

#include <gtest/gtest.h>

#include "tests/integration/expect.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

constexpr std::size_t kLooks = 200;

// A program, and a tracer that looks at it ten times a second and writes what it sees to a file.
class Watched {
 public:
  Watched(const Strings& program, std::string file)
      : name_(program.front()),
        file_(std::move(file)),
        target_(Command(program)),
        tracer_({CT_TRACER_PATH, "tasks", "-p", std::to_string(target_.pid()), "--every", "100ms",
                 "--json"},
                IntoFile(file_)) {}

  [[nodiscard]] Strings Lines() const {
    Strings lines;
    std::ifstream in(file_);
    for (std::string line; std::getline(in, line) && !in.eof();) lines.push_back(line);
    return lines;
  }
  void Check() {
    SCOPED_TRACE(name_);
    tracer_.Signal(SIGINT);
    tracer_.Wait(Milliseconds(20'000));
    for (const std::string& line : Lines()) {
      Outcome run;
      run.output = line;
      const Answer answer = AnswerOf(run);
      EXPECT_EQ(answer.findings, "");
      EXPECT_EQ(answer.relevant_losses, Strings{});
      Count(answer.snapshot);
    }
    std::uint64_t skipped = 0;
    std::string reasons;
    for (const auto& [reason, count] : skipped_) {
      skipped += count;
      reasons += std::to_string(count) + " x " + reason + "\n";
    }
    EXPECT_GT(read_, kLooks);
    EXPECT_LT(100 * skipped, read_) << "of " << read_ << "\n" << reasons;
  }

 private:
  // What was read, and what could not be, by the tracer's own account.
  void Count(const v1::Snapshot& snapshot) {
    for (const v1::Actor& actor : snapshot.actors()) {
      ++read_;
      if (!actor.has_user_stack()) continue;
      read_ += static_cast<std::uint64_t>(
          snapshot.stacks(static_cast<int>(actor.user_stack())).frames_size());
    }
    for (const v1::Observation& observation : snapshot.observations()) {
      for (const v1::Loss& loss : observation.losses()) {
        const std::string& reason = loss.reason();
        if (reason.starts_with("of Python: ")) skipped_[reason] += loss.count();
      }
    }
  }
  static SpawnOptions IntoFile(const std::string& path) {
    SpawnOptions options;
    options.before_exec = [path] {
      dup2(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), STDOUT_FILENO);
    };
    return options;
  }
  static Strings Command(const Strings& program) {
    Strings command = PythonProgram(CT_PYTHON, program.front());
    command.insert(command.end(), program.begin() + 1, program.end());
    return command;
  }

  std::string name_;
  std::string file_;
  Target target_;
  Child tracer_;
  std::uint64_t read_ = 0;  // threads and tasks with their frames
  std::map<std::string, std::uint64_t> skipped_;
};

void ExpectSilence(const std::vector<Strings>& programs) {
  const TempDir directory;
  std::vector<std::unique_ptr<Watched>> all;
  for (const Strings& program : programs) {
    all.push_back(
        std::make_unique<Watched>(program, directory.File(std::to_string(all.size()) + ".json")));
  }
  const auto enough = [](const auto& watched) { return watched->Lines().size() >= kLooks; };
  for (int i = 0; i < 200 && !std::all_of(all.begin(), all.end(), enough); ++i) {
    SleepFor(Milliseconds(1000));
  }
  for (const auto& watched : all) {
    EXPECT_GE(watched->Lines().size(), kLooks);
    watched->Check();
  }
}

TEST(PythonSilence, TwoHundredLooksAtEachOfManyPrograms) {
  ExpectSilence({
      {"task_deadlocks.py", "--locks", "--bare", "--semaphore", "--gather", "--healthy"},
      {"thread_deadlocks.py", "--locks", "--rlocks", "--bare", "--twice", "--conditions",
       "--semaphore", "--three", "--owner", "--join", "--executor", "--condition", "--idle",
       "--healthy"},
      {"border_deadlocks.py", "--lock-of-task", "--cross", "--cross-task", "--worker", "--healthy"},
      {"forgotten.py", "--healthy"},
      {"asgi_service.py", "fastapi", "--healthy"},
  });
}

}  // namespace
}  // namespace ct::test
