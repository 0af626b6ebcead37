// A Python process on its way from the reader to the tracer: in parts, since one may have 100,000
// tasks, and with bounds on what all of them together may cost the tracer.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "concurrency_tracer/internal/reader.pb.h"
#include "model/task_probe.h"
#include "runtimes/python_origins.h"
#include "runtimes/python_process.h"

namespace ct {

using SendPythonPart = std::function<Status(concurrency_tracer::internal::PythonReading&& reading)>;

// Calls `send` for each part, at least once, until it fails.
Status SplitPython(const PythonProcess& process, const SendPythonPart& send);

void ToWire(const FrameProbe& probe, concurrency_tracer::internal::FrameProbe& message);
FrameProbe FromWire(const concurrency_tracer::internal::FrameProbe& message);
void ToWire(const TaskProbe& probe, concurrency_tracer::internal::TaskProbe& message);
TaskProbe FromWire(const concurrency_tracer::internal::TaskProbe& message);

void ToWire(const CodePlaces& places, concurrency_tracer::internal::CodePlaces& message);
// Cleaned, and with as many places as points were asked for.
CodePlaces FromWire(const concurrency_tracer::internal::CodePlaces& message, std::size_t points);

// Puts the parts together. The reader is less trusted than the tracer: what it says is cleaned,
// and its size is bounded by what the reader of Python itself keeps of a process.
class PythonIntake {
 public:
  // kMalformed beyond the bounds.
  Status Take(const concurrency_tracer::internal::PythonReading& part);
  // After the last part; nullopt if there was none.
  std::optional<PythonProcess> Finish();

 private:
  using Part = concurrency_tracer::internal::PythonReading;
  using Frames = google::protobuf::RepeatedPtrField<concurrency_tracer::internal::PythonFrame>;

  // False, for good, once a bound is passed.
  bool Spend(std::uint64_t& left, std::uint64_t count);
  std::string Text(const std::string& bytes);
  std::string Type(const Part& part, std::uint32_t index);
  std::vector<PythonFrame> TakeFrames(const Part& part, const Frames& from);
  std::vector<PythonUse> TakeUses(
      const Part& part,
      const google::protobuf::RepeatedPtrField<concurrency_tracer::internal::PythonUse>& from);
  PythonAwait TakeAwait(const Part& part, const concurrency_tracer::internal::PythonAwait& from);
  PythonThread TakeThread(const Part& part, const concurrency_tracer::internal::PythonThread& from);
  PythonPool TakePool(const Part& part, const concurrency_tracer::internal::PythonPool& from);
  PythonTask TakeTask(const Part& part, const concurrency_tracer::internal::PythonTask& from);
  PythonFailure TakeFailure(const Part& part,
                            const concurrency_tracer::internal::PythonFailure& from);

  std::optional<PythonProcess> process_;
  bool too_much_ = false;
  // The limits of runtimes/cpython, or above.
  std::uint64_t tasks_left_ = 200'000;
  std::uint64_t threads_left_ = 4096;
  std::uint64_t frames_left_ = 3 << 20;
  std::uint64_t holds_left_ = 1 << 20;
  std::uint64_t children_left_ = 4 << 20;
  std::uint64_t uses_left_ = 1 << 17;
  std::uint64_t codes_left_ = 1 << 18;
  std::uint64_t others_left_ = 16'384;     // GILs, locks, pools and skips
  std::uint64_t units_left_ = 1 << 20;     // of pools, and their holders
  std::uint64_t forgotten_left_ = 32'768;  // failures and coroutines
  std::uint64_t text_left_ = 256 << 20;    // bytes of names, each time one is kept
};

}  // namespace ct
