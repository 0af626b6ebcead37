#include "runtimes/cpython/offsets.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace ct::cpython {
namespace {

// offsetof() over the headers of 3.11.2, 3.11.7, 3.12.1, 3.13.0, 3.13.5, 3.14.10 and 3.15.2
// (pycore_runtime.h, pycore_interp.h, pycore_tstate.h, pycore_frame.h, cpython/code.h); those of
// tasks from Modules/_asynciomodule.c, seen in running processes, as is gc.collecting.
constexpr std::array<Offsets, 5> kVersions = {{
    {.minor = 11,
     .runtime_interpreters = 40,
     .runtime_gil = 360,
     .interp_next = 0,
     .interp_threads = 16,
     .interp_modules = 888,
     .interp_gc = 672,
     .interp_frozen = 752,
     .interp_collecting = 848,
     .thread_id = 152,
     .thread_native_id = 160,
     .thread_dict = 128,
     .thread_frame = 56,
     .frame_behind_cframe = true,
     .cframe_frame = 8,
     .frame_code = 32,
     .frame_previous = 48,
     .frame_globals = 8,
     .frame_owner = 69,
     .frame_locals = 72,
     .generator_state = 75,
     .generator_frame = 80,
     .code_nlocalsplus = 76,
     .code_stacksize = 68,
     .code_firstlineno = 72,
     .code_bytecode = 184,
     .task_state = 88,
     .task_waiter = 128,
     .task_coroutine = 136,
     .task_name = 144,
     .future_log_tb = 92,
     .type_cached_keys = 872,
     .tuple_items = 24,
     .ascii_data = 48,
     .compact_data = 72},
    {.minor = 12,
     .runtime_interpreters = 40,
     .interp_next = 0,
     .interp_threads = 72,
     .interp_modules = 944,
     .interp_gil = 384,
     .interp_gc = 136,
     .interp_frozen = 216,
     .interp_collecting = 312,
     .thread_id = 136,
     .thread_native_id = 144,
     .thread_dict = 112,
     .thread_frame = 56,
     .frame_behind_cframe = true,
     .cframe_frame = 0,
     .frame_code = 0,
     .frame_previous = 8,
     .frame_globals = 24,
     .frame_owner = 70,
     .frame_locals = 72,
     .generator_state = 67,
     .generator_frame = 72,
     .code_nlocalsplus = 72,
     .code_stacksize = 64,
     .code_firstlineno = 68,
     .code_bytecode = 192,
     .task_state = 88,
     .task_waiter = 128,
     .task_coroutine = 136,
     .task_name = 144,
     .future_log_tb = 92,
     .type_cached_keys = 880,
     .tuple_items = 24,
     .ascii_data = 40,
     .compact_data = 56},
    {.minor = 13,
     .runtime_interpreters = 632,
     .interp_next = 7264,
     .interp_threads = 7344,
     .interp_modules = 7656,
     .interp_gil = 16,
     .interp_gc = 7420,
     .interp_frozen = 7504,
     .interp_collecting = 7600,
     .thread_id = 152,
     .thread_native_id = 160,
     .thread_dict = 128,
     .thread_frame = 72,
     .thread_running_loop = 304,
     .frame_code = 0,
     .frame_previous = 8,
     .frame_globals = 24,
     .frame_owner = 70,
     .frame_locals = 72,
     .generator_state = 67,
     .generator_frame = 72,
     .code_nlocalsplus = 72,
     .code_stacksize = 64,
     .code_firstlineno = 68,
     .code_bytecode = 200,
     .task_state = 96,
     .task_waiter = 112,
     .task_coroutine = 120,
     .task_name = 128,
     .future_log_tb = 100,
     .type_cached_keys = 880,
     .tuple_items = 24,
     .ascii_data = 40,
     .compact_data = 56},
    {.minor = 14,
     .runtime_interpreters = 808,
     .interp_next = 7272,
     .interp_threads = 7344,
     .interp_modules = 7688,
     .interp_gil = 16,
     .interp_tasks = 10880,
     .interp_gc = 7432,
     .interp_frozen = 7504,
     .interp_collecting = 7600,
     .thread_id = 152,
     .thread_native_id = 160,
     .thread_dict = 128,
     .thread_frame = 72,
     .thread_running_loop = 864,
     .thread_running_task = 872,
     .thread_tasks = 880,
     .frame_code = 0,
     .frame_previous = 8,
     .frame_globals = 24,
     .frame_owner = 74,
     .frame_locals = 80,
     .generator_state = 67,
     .generator_frame = 72,
     .code_nlocalsplus = 72,
     .code_stacksize = 64,
     .code_firstlineno = 68,
     .code_bytecode = 208,
     .task_state = 104,
     .task_waiter = 120,
     .task_coroutine = 128,
     .task_name = 136,
     .task_node = 152,
     .future_log_tb = 110,
     .type_cached_keys = 880,
     .tuple_items = 32,
     .ascii_data = 40,
     .compact_data = 56},
    {.minor = 15,
     .runtime_interpreters = 936,
     .interp_next = 7264,
     .interp_threads = 7336,
     .interp_modules = 7592,
     .interp_gil = 16,
     .interp_tasks = 10856,
     .interp_gc = 7408,
     .interp_frozen = 7480,
     .interp_collecting = 7512,
     .thread_id = 176,
     .thread_native_id = 184,
     .thread_dict = 152,
     .thread_frame = 72,
     .thread_running_loop = 1024,
     .thread_running_task = 1032,
     .thread_tasks = 1048,
     .frame_code = 0,
     .frame_previous = 8,
     .frame_globals = 24,
     .frame_owner = 74,
     .frame_locals = 80,
     .generator_state = 67,
     .generator_frame = 72,
     .code_nlocalsplus = 72,
     .code_stacksize = 64,
     .code_firstlineno = 68,
     .code_bytecode = 208,
     .task_state = 104,
     .task_waiter = 120,
     .task_coroutine = 128,
     .task_name = 136,
     .task_node = 152,
     .future_log_tb = 110,
     .type_cached_keys = 888,
     .tuple_items = 32,
     .ascii_data = 40,
     .compact_data = 56},
}};

// One field of struct _Py_DebugOffsets (pycore_runtime.h, pycore_debug_offsets.h) that says where a
// field of ours is; `at` for 3.13, 3.14 and 3.15.
struct DebugField {
  std::array<std::uint16_t, 3> at;
  std::uint32_t Offsets::*field;
  const char* name;
};
constexpr std::uint32_t kFirstWithDebugOffsets = 13;
constexpr auto kDebugFields = std::to_array<DebugField>({
    {{40, 40, 40}, &Offsets::runtime_interpreters, "runtime_state.interpreters_head"},
    {{64, 64, 64}, &Offsets::interp_next, "interpreter_state.next"},
    {{72, 72, 72}, &Offsets::interp_threads, "interpreter_state.threads_head"},
    {{88, 96, 96}, &Offsets::interp_modules, "interpreter_state.imports_modules"},
    {{112, 120, 120}, &Offsets::interp_gil, "interpreter_state.ceval_gil"},
    {{184, 208, 208}, &Offsets::thread_frame, "thread_state.current_frame"},
    {{192, 216, 240}, &Offsets::thread_id, "thread_state.thread_id"},
    {{200, 224, 248}, &Offsets::thread_native_id, "thread_state.native_thread_id"},
    {{232, 256, 320}, &Offsets::frame_previous, "interpreter_frame.previous"},
    {{240, 264, 328}, &Offsets::frame_code, "interpreter_frame.executable"},
    {{256, 280, 344}, &Offsets::frame_locals, "interpreter_frame.localsplus"},
    {{264, 288, 352}, &Offsets::frame_owner, "interpreter_frame.owner"},
    {{312, 352, 416}, &Offsets::code_firstlineno, "code_object.firstlineno"},
    {{344, 384, 448}, &Offsets::code_bytecode, "code_object.co_code_adaptive"},
    {{408, 456, 552}, &Offsets::tuple_items, "tuple_object.ob_item"},
    {{560, 640, 736}, &Offsets::ascii_data, "unicode_object.asciiobject_size"},
    {{0, 688, 816}, &Offsets::generator_state, "gen_object.gi_frame_state"},
    {{0, 680, 808}, &Offsets::generator_frame, "gen_object.gi_iframe"},
});

}  // namespace

std::span<const Offsets> KnownOffsets() { return kVersions; }

const Offsets* OffsetsOf(std::uint32_t minor) {
  const auto* found = std::find_if(kVersions.begin(), kVersions.end(),
                                   [&](const Offsets& version) { return version.minor == minor; });
  return found != kVersions.end() ? found : nullptr;
}

Status CheckDebugOffsets(Memory& memory, std::uint64_t runtime, const Offsets& offsets) {
  if (offsets.minor < kFirstWithDebugOffsets) return {};
  const std::size_t column = offsets.minor - kFirstWithDebugOffsets;
  for (const DebugField& field : kDebugFields) {
    const std::uint16_t at = field.at[column];
    if (at == 0) continue;
    const auto there = memory.ReadValue<std::uint64_t>(runtime + at);
    if (!there) return Fail(ErrorCode::kMalformed, "_PyRuntime is not readable");
    if (*there == offsets.*field.field) continue;
    return Fail(ErrorCode::kUnsupported,
                fmt::format("CPython 3.{} with {} at {} instead of {}", offsets.minor, field.name,
                            *there, offsets.*field.field));
  }
  return {};
}

}  // namespace ct::cpython
