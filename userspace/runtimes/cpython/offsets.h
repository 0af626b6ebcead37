// Where the fields of CPython's structures are, for each minor version that this reader knows.
// x86-64, with the GIL. What is the same in all of them is a constant where it is used.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "target/memory.h"

namespace ct::cpython {

// Bytes from the start of the structure. 0: the version has no such field.
struct Offsets {
  std::uint32_t minor = 0;  // of 3.minor

  // _PyRuntimeState
  std::uint32_t runtime_interpreters = 0;  // interpreters.head
  std::uint32_t runtime_gil = 0;           // ceval.gil; 3.11 alone has it here
  // PyInterpreterState
  std::uint32_t interp_next = 0;
  std::uint32_t interp_threads = 0;     // threads.head
  std::uint32_t interp_modules = 0;     // sys.modules
  std::uint32_t interp_gil = 0;         // ceval.gil, a pointer
  std::uint32_t interp_tasks = 0;       // asyncio_tasks_head: of threads that are gone
  std::uint32_t interp_gc = 0;          // gc.generations: three heads of lists, 24 bytes each
  std::uint32_t interp_frozen = 0;      // gc.permanent_generation
  std::uint32_t interp_collecting = 0;  // gc.collecting
  // PyThreadState; `next` is at 8 and `interp` at 16 in all versions
  std::uint32_t thread_id = 0;         // pthread_self()
  std::uint32_t thread_native_id = 0;  // gettid()
  std::uint32_t thread_dict = 0;
  std::uint32_t thread_frame = 0;         // current_frame, or cframe up to 3.12
  std::uint32_t thread_running_loop = 0;  // _PyThreadStateImpl.asyncio_running_loop, 3.13 and later
  std::uint32_t thread_running_task = 0;
  std::uint32_t thread_tasks = 0;  // asyncio_tasks_head
  bool frame_behind_cframe = false;
  std::uint32_t cframe_frame = 0;  // _PyCFrame.current_frame
  // _PyInterpreterFrame; instr_ptr (prev_instr up to 3.12) is at 56 in all versions
  std::uint32_t frame_code = 0;
  std::uint32_t frame_previous = 0;
  std::uint32_t frame_globals = 0;
  std::uint32_t frame_owner = 0;
  std::uint32_t frame_locals = 0;  // localsplus
  // PyGenObject, PyCoroObject and PyAsyncGenObject
  std::uint32_t generator_state = 0;
  std::uint32_t generator_frame = 0;
  // PyCodeObject
  std::uint32_t code_nlocalsplus = 0;
  std::uint32_t code_stacksize = 0;
  std::uint32_t code_firstlineno = 0;
  std::uint32_t code_bytecode = 0;  // co_code_adaptive
  // TaskObj and FutureObj of Modules/_asynciomodule.c
  std::uint32_t task_state = 0;
  std::uint32_t task_waiter = 0;
  std::uint32_t task_coroutine = 0;
  std::uint32_t task_name = 0;
  std::uint32_t task_node = 0;  // in the lists of 3.14 and later
  std::uint32_t future_log_tb =
      0;  // fut_log_tb, the lowest bit: nobody has asked for its exception
  // the rest
  std::uint32_t type_cached_keys = 0;  // PyHeapTypeObject.ht_cached_keys
  std::uint32_t tuple_items = 0;
  std::uint32_t ascii_data = 0;    // sizeof(PyASCIIObject)
  std::uint32_t compact_data = 0;  // sizeof(PyCompactUnicodeObject)
};

// nullptr for a version that is not known.
const Offsets* OffsetsOf(std::uint32_t minor);
std::span<const Offsets> KnownOffsets();

// Compares with the _Py_DebugOffsets at the start of _PyRuntime, from 3.13 on. kUnsupported names
// the first field that is elsewhere: such a build is not read at all.
Status CheckDebugOffsets(Memory& memory, std::uint64_t runtime, const Offsets& offsets);

}  // namespace ct::cpython
