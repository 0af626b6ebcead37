#include <algorithm>

#include "base/text.h"
#include "reader/python_protocol.h"

namespace ct {

namespace wire = concurrency_tracer::internal;

void ToWire(const FrameProbe& probe, wire::FrameProbe& message) {
  message.set_last_holder(probe.last_holder);
  message.set_thread_ident(probe.thread_ident);
  message.set_thread_frame(probe.thread_frame);
  message.set_behind_cframe(probe.behind_cframe);
  message.set_cframe_frame(probe.cframe_frame);
  message.set_code_mask(probe.code_mask);
  message.set_frame_code(probe.frame_code);
  message.set_frame_previous(probe.frame_previous);
  message.set_frame_instruction(probe.frame_instruction);
  message.set_frame_owner(probe.frame_owner);
  message.set_last_python_owner(probe.last_python_owner);
}

FrameProbe FromWire(const wire::FrameProbe& message) {
  FrameProbe probe;
  probe.last_holder = message.last_holder();
  probe.thread_ident = message.thread_ident();
  probe.thread_frame = message.thread_frame();
  probe.behind_cframe = message.behind_cframe();
  probe.cframe_frame = message.cframe_frame();
  probe.code_mask = message.code_mask();
  probe.frame_code = message.frame_code();
  probe.frame_previous = message.frame_previous();
  probe.frame_instruction = message.frame_instruction();
  probe.frame_owner = message.frame_owner();
  probe.last_python_owner = message.last_python_owner();
  return probe;
}

void ToWire(const TaskProbe& probe, wire::TaskProbe& message) {
  message.set_address(probe.address);
  message.set_map_begin(probe.map_begin);
  message.set_map_end(probe.map_end);
  message.set_file_offset(probe.file_offset);
  message.set_inode(probe.inode);
  ToWire(probe.frames, *message.mutable_frames());
}

TaskProbe FromWire(const wire::TaskProbe& message) {
  TaskProbe probe;
  probe.address = message.address();
  probe.map_begin = message.map_begin();
  probe.map_end = message.map_end();
  probe.file_offset = message.file_offset();
  probe.inode = message.inode();
  probe.frames = FromWire(message.frames());
  return probe;
}

void ToWire(const CodePlaces& places, wire::CodePlaces& message) {
  for (const PythonCode& code : places.codes) {
    wire::PythonCode& to = *message.add_codes();
    to.set_function(code.function);
    to.set_file(code.file);
  }
  for (const CodePlace& place : places.places) {
    message.add_place_codes(place.code);
    message.add_place_lines(place.line);
  }
}

CodePlaces FromWire(const wire::CodePlaces& message, std::size_t points) {
  CodePlaces out;
  const auto codes = std::min<std::size_t>(static_cast<std::size_t>(message.codes_size()), points);
  for (std::size_t i = 0; i < codes; ++i) {
    const wire::PythonCode& code = message.codes(static_cast<int>(i));
    out.codes.push_back({CleanText(code.function()), CleanText(code.file())});
  }
  const auto rows = std::min({points, static_cast<std::size_t>(message.place_codes_size()),
                              static_cast<std::size_t>(message.place_lines_size())});
  out.places.resize(points);
  for (std::size_t i = 0; i < rows; ++i) {
    const std::uint32_t code = message.place_codes(static_cast<int>(i));
    if (code < codes) out.places[i] = {code, message.place_lines(static_cast<int>(i))};
  }
  return out;
}

}  // namespace ct
