// No Python, but what whoever reads CPython 3.11 from outside takes for one, and is led astray by:
// lists, frames, types and awaits that are rings, sizes without an end, pointers to nowhere, a heap
// whose lists never come back to their heads. Layouts as in userspace/runtimes/cpython/offsets.cc.
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/mman.h>

#include "tests/targets/target.h"

using Word = unsigned long;

extern "C" {
alignas(16) char _PyRuntime[4096] = {1};
extern const Word Py_Version;
const Word Py_Version = 0x030b02f0;
}

namespace {

constexpr Word kNowhere = 0x7fff12345678;
constexpr Word kEndless = ~0UL >> 1;
constexpr Word kTasks = 300;
constexpr Word kThreads = 5000;  // more than are read

char* next;

Word Block(Word size) {
  char* block = next;
  next += (size + 127) & ~Word{63};
  return reinterpret_cast<Word>(block) + 64;  // room for what stands before an object
}
template <class T = Word>
void Set(Word address, T value) {
  memcpy(reinterpret_cast<void*>(address), &value, sizeof(value));
}
Word Text(std::string_view text) {
  const Word address = Block(text.size() + 1);
  memcpy(reinterpret_cast<void*>(address), text.data(), text.size());
  return address;
}

Word type_of_types, type_of_strings, type_of_dicts, type_of_tuples, type_of_bytes;

Word Object(Word size, Word type) {
  const Word object = Block(size);
  Set(object, Word{1});
  Set(object + 8, type);
  return object;
}
Word Type(std::string_view name, Word flags) {
  const Word type = Object(1024, type_of_types);
  Set(type + 24, Text(name));
  Set(type + 32, Word{64});
  Set(type + 168, flags);
  return type;
}
Word String(std::string_view text) {
  const Word object = Object(49 + text.size(), type_of_strings);
  Set(object + 16, text.size());
  Set<unsigned>(object + 32, 1 << 2 | 1 << 5 | 1 << 6);  // of one byte each, compact, ASCII
  memcpy(reinterpret_cast<void*>(object + 48), text.data(), text.size());
  return object;
}
Word Bytes(std::string_view text) {
  const Word object = Object(33 + text.size(), type_of_bytes);
  Set(object + 16, text.size());
  memcpy(reinterpret_cast<void*>(object + 32), text.data(), text.size());
  return object;
}
Word Dict(std::initializer_list<std::pair<std::string_view, Word>> items) {
  const Word keys = Block(32 + 64 + 16 * 64);
  Set<char>(keys + 8, 6);
  Set<char>(keys + 9, 6);
  Set<char>(keys + 10, 1);
  Set(keys + 24, items.size());
  Word entry = keys + 32 + 64;
  for (const auto& [name, value] : items) {
    Set(entry, String(name));
    Set(entry + 8, value);
    entry += 16;
  }
  const Word dict = Object(48, type_of_dicts);
  Set(dict + 16, items.size());
  Set(dict + 32, keys);
  return dict;
}

// A list, tuple, set, deque and dict, each of which says that it is without an end and has itself
// inside.
std::vector<Word> EndlessContainers(Word type_of_lists) {
  const Word list = Object(40, type_of_lists);
  Set(list + 16, kEndless);
  Set(list + 24, list);
  Set(list + 32, kEndless);
  const Word tuple = Object(64, type_of_tuples);
  Set(tuple + 16, kEndless);
  Set(tuple + 24, tuple);
  const Word set = Object(200, Type("set", 0));
  Set(set + 16, (1UL << 22) - 1);
  Set(set + 24, (1UL << 22) - 1);
  Set(set + 32, (1UL << 23) - 1);
  Set(set + 40, set);
  const Word deque = Object(64, Type("collections.deque", 0));
  const Word block = Block(66 * 8);
  for (Word i = 1; i <= 64; ++i) Set(block + i * 8, deque);
  Set(block + 65 * 8, block);
  Set(deque + 16, kEndless);
  Set(deque + 24, block);
  Set(deque + 32, block);
  const Word dict = Object(48, type_of_dicts);
  const Word keys = Block(128);
  Set<char>(keys + 8, 40);
  Set<char>(keys + 9, 3);
  Set<char>(keys + 10, 1);
  Set(keys + 24, 1UL << 39);
  Set(dict + 32, keys);
  return {list, tuple, set, deque, dict};
}

// A function whose local variables are these.
Word Code(std::string_view name, Word locals) {
  static const Word type_of_code = Type("code", 0);
  const Word code = Object(256, type_of_code);
  const Word names = Object(24, type_of_tuples);
  Set(code + 40, Bytes(""));
  Set<int>(code + 68, 2);
  Set<int>(code + 72, 7);
  Set<int>(code + 76, static_cast<int>(locals));
  Set(code + 96, names);
  Set(code + 112, String("false.py"));
  Set(code + 128, String(name));
  Set(code + 136, Bytes("\x87"));
  Set<char>(code + 187, 3);  // the RESUME that comes next: after an await
  return code;
}
void Frame(Word frame, Word code, Word previous, const std::vector<Word>& locals, Word awaited) {
  Set(frame + 32, code);
  Set(frame + 48, previous);
  Set(frame + 56, code + 184);
  Set<int>(frame + 64, static_cast<int>(locals.size()) + 1);
  Word slot = frame + 72;
  for (const Word local : locals) {
    Set(slot, local);
    slot += 8;
  }
  Set(slot, awaited);
}

Word Tasks(Word coroutine) {
  const Word type = Type("_asyncio.Task", 0);
  const Word slots = 1UL << 10;
  const Word table = Block(slots * 16);
  for (Word i = 0; i < kTasks; ++i) {
    const Word task = Object(176, type);
    Set(task + 128, task);  // waits for itself
    Set(task + 136, coroutine);
    const Word name = String("false-" + std::to_string(i));
    if (i % 2 == 1) Set(name + 16, kEndless);
    Set(task + 144, i % 3 == 2 ? kNowhere : name);
    Set(table + i * 16, task);
  }
  const Word set = Object(200, Type("set", 0));
  Set(set + 16, kTasks);
  Set(set + 24, kTasks);
  Set(set + 32, slots - 1);
  Set(set + 40, table);
  return set;
}

// The threads of an interpreter, in a list that is a ring, each in frames that are a ring.
Word Threads(Word interpreter, Word frame) {
  Word first = 0, last = 0;
  for (Word i = 0; i < kThreads; ++i) {
    const Word thread = Block(256);
    const Word cframe = Block(32);
    Set(cframe + 8, frame);
    Set(thread, last);
    Set(thread + 16, interpreter);
    Set(thread + 56, cframe);
    Set(thread + 160, static_cast<Word>(getpid()));
    (last == 0 ? first : *reinterpret_cast<Word*>(last + 8)) = thread;
    last = thread;
  }
  Set(last + 8, first);
  return first;
}

// The lists of the garbage collector: one of objects that never comes back to its head, one to
// nowhere.
void Collector(Word interpreter, const std::vector<Word>& objects) {
  const Word youngest = interpreter + 672;
  Word last = youngest;
  for (const Word object : objects) {
    Set(last, object - 16);
    Set(object - 8, last);
    last = object - 16;
  }
  Set(last, objects.front() - 16);
  Set(youngest + 8, last);
  Set(youngest + 24, kNowhere);
  Set(youngest + 32, kNowhere);
}

void Build() {
  type_of_types = Object(1024, 0);
  Set(type_of_types + 8, type_of_types);
  Set(type_of_types + 24, Text("type"));
  Set(type_of_types + 168, 1UL << 31);
  type_of_strings = Type("str", 1 << 28);
  type_of_dicts = Type("dict", 1 << 29);
  type_of_tuples = Type("tuple", 1 << 26);
  type_of_bytes = Type("bytes", 1 << 27);
  std::vector<Word> locals = EndlessContainers(Type("list", 1 << 25));
  const Word ring = Type("Ring", 1 << 9);  // its own base, whose dict is an instance of it
  const Word of_ring = Object(64, ring);
  Set(ring + 256, ring);
  Set(ring + 264, of_ring);
  locals.push_back(of_ring);
  locals.push_back(kNowhere);

  const Word coroutine = Object(512, Type("coroutine", 0));
  Set<signed char>(coroutine + 75, -1);
  Frame(coroutine + 80, Code("awaits_itself", locals.size()), 0, locals, coroutine);
  const Word frame = Block(512);
  Frame(frame, Code("calls_itself", locals.size()), frame, locals, 0);

  const Word weak_set_type = Type("WeakSet", 0);
  Set(weak_set_type + 288, Word{16});
  const Word weak_set = Object(64, weak_set_type);
  Set(weak_set + 16, Dict({{"data", Tasks(coroutine)}}));
  const Word module = Object(64, Type("module", 0));
  Set(module + 16, Dict({{"_all_tasks", weak_set}, {"_current_tasks", locals[4]}}));

  const Word interpreter = Block(2048);
  const auto runtime = reinterpret_cast<Word>(_PyRuntime);
  Set(runtime + 40, interpreter);
  Set(interpreter, interpreter);  // the next one
  Set(interpreter + 16, Threads(interpreter, frame));
  Set(interpreter + 888, Dict({{"asyncio.tasks", module}, {"false", module}}));
  std::vector<Word> objects = locals;
  objects.pop_back();
  objects.push_back(coroutine);
  Collector(interpreter, objects);
}

}  // namespace

int main() {
  DieWithParent();
  constexpr size_t kSize = 64 << 20;
  void* arena = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (arena == MAP_FAILED) return 1;
  next = static_cast<char*>(arena);
  Build();
  Ready();
  Park();
}
