// Words for actors and resources, as the proof lines use them.
#pragma once

#include <string>

#include "graph/wait_graph.h"

namespace ct {

class Describe {
 public:
  // `graph` must outlive it.
  explicit Describe(const WaitGraph& graph) : graph_(&graph) {}

  // "io-3 (981)"; a task: "task refresh-prices", "GET /orders/{id} from 10.0.4.17". Indices must be
  // in range.
  [[nodiscard]] std::string Actor(ActorIndex index) const;
  // "std::mutex g_ledger_mu", "pthread_mutex_t 0x55d0c8 (heap)", "the exit of worker (982)".
  [[nodiscard]] std::string Resource(ResourceIndex index) const;
  // What the actor does when it does not wait for somebody known: "is stopped", "sleeps in
  // epoll_wait on socket 10.0.0.4:5432", "runs". Follows the actor's name in a sentence.
  [[nodiscard]] std::string Doing(ActorIndex index) const;
  // Where the evidence of an edge is less than certain: " (probable: last releaser)"; else empty.
  static std::string Doubt(Evidence evidence, const std::string& note);

 private:
  const WaitGraph* graph_;
};

}  // namespace ct
