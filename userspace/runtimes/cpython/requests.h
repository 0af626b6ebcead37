// Whom a task works for: the ASGI request in the frames of a web service.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/objects.h"

namespace ct::cpython {

class RequestReader {
 public:
  RequestReader(Heap& heap, FrameReader& frames) : heap_(heap), frames_(frames) {}

  // Fills in task.request and task.client from its frames, innermost first. What a query string
  // says is never read.
  void Describe(const std::vector<FrameView>& frames, PythonTask& task);

 private:
  std::string Text(Address scope, std::string_view key);
  // The pattern that the router has matched: "/orders/{id}"; else the path itself.
  std::string PathOf(Address scope, const std::vector<FrameView>& frames);
  std::string RouteOf(Address scope, const std::vector<FrameView>& frames);

  Heap& heap_;
  FrameReader& frames_;
  // By code: the slot of the local "scope"; ~0: none.
  std::unordered_map<const Code*, std::uint32_t> slots_;
};

}  // namespace ct::cpython
