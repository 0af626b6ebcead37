#include "kernel/frame_probe.h"

#include <cstdint>

namespace ct {

bool IsSane(const FrameProbe& probe) {
  constexpr std::uint32_t kLastWord = CT_FRAME_BYTES - sizeof(std::uint64_t);
  const auto is_word = [](std::uint32_t at) { return at <= kLastWord && at % 8 == 0; };
  return is_word(probe.frame_code) && is_word(probe.frame_previous) &&
         is_word(probe.frame_instruction) && probe.frame_owner < CT_FRAME_BYTES;
}

ct_frame_probe DescribeFrames(const FrameProbe& probe) {
  ct_frame_probe to{};
  to.last_holder = probe.last_holder;
  to.code_mask = probe.code_mask;
  to.thread_ident = probe.thread_ident;
  to.thread_frame = probe.thread_frame;
  to.behind_cframe = probe.behind_cframe ? 1 : 0;
  to.cframe_frame = probe.cframe_frame;
  to.frame_code = probe.frame_code;
  to.frame_previous = probe.frame_previous;
  to.frame_instruction = probe.frame_instruction;
  to.frame_owner = probe.frame_owner;
  to.last_python_owner = probe.last_python_owner;
  return to;
}

}  // namespace ct
