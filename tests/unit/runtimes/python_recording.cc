#include "tests/unit/runtimes/python_recording.h"

#include <signal.h>
#include <stdio.h>

#include <array>

#include <fmt/format.h>

#include "reader/thread_switches.h"

namespace ct {
namespace {

// A program of tests/targets/python that has said READY.
class Program {
 public:
  Program(const std::string& python, const std::string& file)
      : pipe_(
            popen(fmt::format(
                      "echo $$; exec setpriv --pdeathsig KILL '{}' -B '{}/python/{}' 2> /dev/null",
                      python, CT_TARGETS_SOURCE_DIR, file)
                      .c_str(),
                  "r")) {
    std::array<char, 256> line{};
    if (pipe_ == nullptr || fgets(line.data(), line.size(), pipe_) == nullptr) return;
    pid_ = std::stoi(line.data());
    while (std::string(line.data()) != "READY\n" &&
           fgets(line.data(), line.size(), pipe_) != nullptr) {
    }
  }
  ~Program() {
    if (pid_ > 0) kill(pid_, SIGKILL);
    if (pipe_ != nullptr) pclose(pipe_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  FILE* pipe_;
  pid_t pid_ = 0;
};

}  // namespace

Result<PythonRecording> RecordPython(const std::string& python, const std::string& file) {
  const Program program(python, file);
  if (program.pid() <= 0) return Fail(ErrorCode::kNotFound, python + " does not start");
  // At rest it reads the same twice.
  auto target = Target::Open(program.pid(), MakeFileCache());
  if (!target) return Fail(target.error());
  PythonRecording recording;
  recording.options.forgotten = true;
  for (int i = 0; i < 100; ++i) {
    recording.options.futexes = FutexCallsOf(ReadThreadSwitches(program.pid()));
    recording.image = std::make_unique<PythonImage>();
    const auto memory = ImageTarget::Recorder(**target, *recording.image);
    ImageTarget recorder(target->get(), *recording.image, *memory);
    auto process = ReadPython(recorder, recording.options);
    if (!process) return Fail(process.error());
    if (!*process) return Fail(ErrorCode::kNotFound, python + " is no CPython");
    const auto again = ReadPython(**target, recording.options);
    const bool same = again && *again && **again == **process;
    recording.process = std::move(**process);
    if (same) return recording;
  }
  return Fail(ErrorCode::kUnsupported, file + " does not come to rest");
}

Result<std::optional<PythonProcess>> Replay(PythonRecording& recording, Memory& memory) {
  ImageTarget target(nullptr, *recording.image, memory);
  return ReadPython(target, recording.options);
}

}  // namespace ct
