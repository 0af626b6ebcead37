// One command's connection to the host: the reader process, the sweep and the observer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/options.h"
#include "kernel/sweep.h"
#include "model/finding.h"
#include "model/observation.h"
#include "observe/observer.h"
#include "reader/reader.h"

namespace ct {

struct Answer {
  Observation observation;
  std::vector<Finding> findings;
};

class Session {
 public:
  // Starts the reader process, then loads the BPF side. kPermission, kUnsupported, kNotFound (a
  // filter that names nothing) with one line for the user. `steady`: observer().Watch() will be
  // called many times.
  static Result<std::unique_ptr<Session>> Start(const TargetOptions& target, bool all_waits,
                                                DurationNs verdict_pause, bool steady);

  // One look, with its findings.
  Result<Answer> Look();
  Observer& observer() { return *observer_; }

 private:
  Session() = default;

  TargetOptions target_;
  TimeNs begin_ = 0;
  std::vector<std::string> degradations_;
  Host host_;
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<Sweeper> sweeper_;
  std::unique_ptr<Observer> observer_;
};

Host ReadHost();

// "0.1.0".
const char* ToolVersion();

}  // namespace ct
