#include "observe/call_places.h"

#include <algorithm>
#include <string>
#include <utility>

namespace ct {
namespace {

MemoryCopy CopyOf(const CallPlace& place) {
  return {place.registers.sp(),
          {reinterpret_cast<const char*>(place.stack.data()), place.stack.size()}};
}

// `points`: where in `places` those of the place begin. Empty: their code is no more.
Stack PythonStack(const CallPlace& place, const CodePlaces& places, std::size_t points) {
  Stack stack;
  stack.end = StackEnd::kTooDeep;
  for (std::size_t i = points; i < points + place.python.size(); ++i) {
    if (i >= places.places.size() || places.places[i].code >= places.codes.size()) continue;
    const PythonCode& code = places.codes[places.places[i].code];
    Frame& frame = stack.frames.emplace_back();
    frame.origin = FrameOrigin::kPython;
    frame.function = code.function;
    frame.file = code.file;
    frame.line = places.places[i].line;
  }
  return stack;
}

}  // namespace

std::vector<std::optional<StackBook::Id>> ReadPlaces(Reader& reader, pid_t pid,
                                                     std::span<const PlaceToRead> places,
                                                     StackBook& stacks) {
  ProcessToRead request;
  request.pid = pid;
  request.source_lines = true;
  for (const PlaceToRead& from : places) {
    const CallPlace& place = *from.place;
    if (!place.python.empty()) {
      request.code_points.insert(request.code_points.end(), place.python.begin(),
                                 place.python.end());
      continue;
    }
    ThreadToRead& thread = request.threads.emplace_back();
    thread.tid = from.tid;
    thread.ns_tid = from.ns_tid;
    thread.registers = place.registers;
    thread.want_stack = true;
    thread.copies = {CopyOf(place)};
    if (from.later != nullptr) thread.copies.push_back(CopyOf(*from.later));
    thread.stack_goes_on = from.goes_on;
  }
  ProcessRead answer = reader.Read(request);
  std::vector<std::optional<StackBook::Id>> ids(places.size());
  // Answers come in the order of the request; one thread may be in it more than once.
  std::size_t next = 0;
  std::size_t points = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const CallPlace& place = *places[i].place;
    if (!place.python.empty()) {
      ids[i] = stacks.Add(PythonStack(place, answer.places, points), answer.modules);
      points += place.python.size();
    } else if (next < answer.threads.size() && answer.threads[next].tid == places[i].tid) {
      ids[i] = stacks.Add(std::move(answer.threads[next].stack), answer.modules);
      ++next;
    }
  }
  return ids;
}

}  // namespace ct
