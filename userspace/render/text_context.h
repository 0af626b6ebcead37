// What the parts of the text renderer share while they print one Observation.
#pragma once

#include <string>
#include <string_view>

#include "detect/describe.h"
#include "graph/wait_graph.h"
#include "model/own_frame.h"
#include "render/renderer.h"

namespace ct {

class TextContext {
 public:
  // Both must outlive it.
  TextContext(const Observation& an_observation, const RenderOptions& some_options)
      : observation(an_observation), options(some_options), graph(an_observation) {}

  const Observation& observation;
  const RenderOptions& options;
  const WaitGraph graph;
  OwnFrames frames{observation};

  [[nodiscard]] bool HasActor(ActorIndex index) const;
  [[nodiscard]] bool HasResource(ResourceIndex index) const;
  // nullptr where there is none.
  [[nodiscard]] const Wait* WaitAt(WaitIndex index) const;
  [[nodiscard]] const Hold* HoldAt(HoldIndex index) const;
  [[nodiscard]] const Wait* WaitOf(ActorIndex actor) const;
  [[nodiscard]] const Process* ProcessOf(ActorIndex actor) const;

  // All printable, "?" for an index out of range.
  [[nodiscard]] std::string Who(ActorIndex actor) const;         // "io-3 (981)"
  [[nodiscard]] std::string What(ResourceIndex resource) const;  // "std::mutex g_ledger_mu"
  [[nodiscard]] std::string Doing(ActorIndex actor) const;  // "sleeps in recvfrom on socket ..."

  [[nodiscard]] std::string Age(TimeNs since) const;  // from then to the observation's end
  [[nodiscard]] std::string Paint(std::string_view text, const char* sgr) const;

 private:
  const Describe describe_{graph};
};

inline constexpr const char* kRed = "\x1b[1;31m";
inline constexpr const char* kYellow = "\x1b[1;33m";
inline constexpr const char* kGreen = "\x1b[1;32m";

}  // namespace ct
