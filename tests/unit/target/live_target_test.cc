// Stacks and names of real processes: children of this test, blocked in known functions.
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "target/target.h"

namespace ct {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;

// What a child tells its parent, in shared memory.
struct Shared {
  pthread_mutex_t* heap_mutex;
  std::uint64_t thread_stack;
};

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A child process that runs `body`; the constructor returns when all `threads` of it wait in futex.
class BlockedChild {
 public:
  explicit BlockedChild(int threads, const std::function<void(Shared&)>& body) {
    shared_ = static_cast<Shared*>(
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    pid_ = fork();
    if (pid_ == 0) {
      alarm(100);
      body(*shared_);
      _exit(0);
    }
    for (int i = 0; i < 10'000 && Blocked() != threads; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(Blocked(), threads);
  }
  ~BlockedChild() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    munmap(shared_, sizeof(Shared));
  }
  BlockedChild(const BlockedChild&) = delete;
  BlockedChild& operator=(const BlockedChild&) = delete;

  pid_t pid() const { return pid_; }
  const Shared& shared() const { return *shared_; }
  std::vector<pid_t> Threads() const {
    std::vector<pid_t> tids;
    DIR* directory = opendir(fmt::format("/proc/{}/task", pid_).c_str());
    if (directory == nullptr) return tids;
    while (const dirent* entry = readdir(directory)) {
      if (const int tid = atoi(entry->d_name); tid > 0) tids.push_back(tid);
    }
    closedir(directory);
    return tids;
  }
  // Stops the thread for the moment of reading its registers; its wait goes on.
  static Registers RegistersOf(pid_t tid) {
    Registers registers;
    user_regs_struct user{};
    if (ptrace(PTRACE_SEIZE, tid, 0, 0) != 0) return registers;
    ptrace(PTRACE_INTERRUPT, tid, 0, 0);
    waitpid(tid, nullptr, __WALL);
    ptrace(PTRACE_GETREGS, tid, 0, &user);
    ptrace(PTRACE_DETACH, tid, 0, 0);
    registers.dwarf = {user.rax, user.rdx, user.rcx, user.rbx, user.rsi, user.rdi,
                       user.rbp, user.rsp, user.r8,  user.r9,  user.r10, user.r11,
                       user.r12, user.r13, user.r14, user.r15, user.rip};
    registers.thread_pointer = user.fs_base;
    return registers;
  }

 private:
  int Blocked() const {
    int blocked = 0;
    for (const pid_t tid : Threads()) {
      const std::string call = ReadAll(fmt::format("/proc/{}/task/{}/syscall", pid_, tid));
      blocked += call.starts_with(fmt::format("{} ", SYS_futex)) ? 1 : 0;
    }
    return blocked;
  }
  pid_t pid_ = -1;
  Shared* shared_ = nullptr;
};

std::unique_ptr<Target> OpenTarget(pid_t pid, const std::string& debug_root = "/nonexistent") {
  auto target = Target::Open(pid, MakeFileCache({.debug_root = debug_root}));
  EXPECT_TRUE(target) << target.error().message;
  return target ? std::move(*target) : nullptr;
}

std::vector<std::string> Functions(const UnwoundStack& stack) {
  std::vector<std::string> names;
  for (const Frame& frame : stack.stack.frames) {
    if (!frame.function.empty()) names.push_back(frame.function);
  }
  return names;
}

pthread_mutex_t g_test_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t g_test_table[4];

#if __has_attribute(noipa)
#define CT_NOINLINE __attribute__((noinline, noipa))
#else  // clang
#define CT_NOINLINE __attribute__((noinline))
#endif

CT_NOINLINE void BlockOnMutex() {
  pthread_mutex_lock(&g_test_mutex);
  pthread_mutex_lock(&g_test_mutex);
  asm volatile("" ::: "memory");
}
__attribute__((always_inline)) inline void InlinedStep() {
  BlockOnMutex();
  asm volatile("" ::: "memory");
}
CT_NOINLINE int Recurse(int depth) {
  volatile char frame[100] = {static_cast<char>(depth)};
  if (depth == 0) {
    InlinedStep();
  } else {
    Recurse(depth - 1);
  }
  return frame[0];
}
CT_NOINLINE void BlockInHandler(int) {
  BlockOnMutex();
  asm volatile("" ::: "memory");
}

TEST(LiveTarget, UnwindsARecursionCompletely) {
  const BlockedChild child(1, [](Shared&) { Recurse(200); });
  const auto target = OpenTarget(child.pid());
  ASSERT_NE(target, nullptr);
  const UnwoundStack stack = target->Unwind(BlockedChild::RegistersOf(child.pid()), {});
  EXPECT_EQ(stack.stack.end, StackEnd::kComplete);
  const auto names = Functions(stack);
  EXPECT_EQ(std::count(names.begin(), names.end(), "ct::(anonymous namespace)::Recurse"), 201);
  EXPECT_THAT(names, IsSupersetOf({"pthread_mutex_lock", "ct::(anonymous namespace)::BlockOnMutex",
                                   "main", "_start"}));
  EXPECT_TRUE(std::is_sorted(stack.cfa.begin(), stack.cfa.end()));
  EXPECT_EQ(stack.cfa.size(), stack.stack.frames.size());
  for (const Frame& frame : stack.stack.frames) {
    ASSERT_GE(frame.module, 0);
    ASSERT_LT(static_cast<std::size_t>(frame.module), target->modules().size());
    EXPECT_FALSE(frame.guessed);
  }
}

TEST(LiveTarget, NamesSourceLinesAndInlinedFunctions) {
  const BlockedChild child(1, [](Shared&) { Recurse(0); });
  const auto target = OpenTarget(child.pid());
  ASSERT_NE(target, nullptr);
  const UnwoundStack stack = target->Unwind(BlockedChild::RegistersOf(child.pid()), {});
  const auto& frames = stack.stack.frames;
  const auto inlined = std::find_if(frames.begin(), frames.end(), [](const Frame& frame) {
    return frame.function == "InlinedStep";
  });
  ASSERT_NE(inlined, frames.end());
  EXPECT_TRUE(inlined->inlined);
  EXPECT_THAT(inlined->file, EndsWith("live_target_test.cc"));
  const Frame& caller = *(inlined + 1);
  EXPECT_FALSE(caller.inlined);
  EXPECT_THAT(caller.function, HasSubstr("Recurse"));
  EXPECT_EQ(caller.address, inlined->address);
  EXPECT_GT(caller.line, inlined->line) << "Recurse stands below InlinedStep in this file";

  const UnwoundStack plain =
      target->Unwind(BlockedChild::RegistersOf(child.pid()), {.source_lines = false});
  EXPECT_THAT(Functions(plain), Contains("pthread_mutex_lock"));
}

TEST(LiveTarget, CrossesASignalHandlerOnItsOwnStack) {
  const BlockedChild child(1, [](Shared&) {
    static char alternate[64 << 10];
    const stack_t stack = {.ss_sp = alternate, .ss_flags = 0, .ss_size = sizeof(alternate)};
    sigaltstack(&stack, nullptr);
    struct sigaction action {};
    action.sa_handler = BlockInHandler;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &action, nullptr);
    raise(SIGUSR1);
  });
  const auto target = OpenTarget(child.pid());
  ASSERT_NE(target, nullptr);
  const UnwoundStack stack = target->Unwind(BlockedChild::RegistersOf(child.pid()), {});
  EXPECT_EQ(stack.stack.end, StackEnd::kComplete);
  EXPECT_THAT(Functions(stack),
              IsSupersetOf({"ct::(anonymous namespace)::BlockOnMutex", "raise", "main", "_start"}));
}

TEST(LiveTarget, HonoursTheFrameLimit) {
  const BlockedChild child(1, [](Shared&) { Recurse(50); });
  const auto target = OpenTarget(child.pid());
  ASSERT_NE(target, nullptr);
  const UnwoundStack stack = target->Unwind(BlockedChild::RegistersOf(child.pid()),
                                            {.max_frames = 10, .source_lines = false});
  EXPECT_EQ(stack.stack.end, StackEnd::kTooDeep);
  EXPECT_EQ(stack.stack.frames.size(), 10u);
}

sem_t g_test_semaphore;
pthread_mutex_t g_robust_mutex;
pthread_t g_joined;

void* WaitOnSemaphore(void*) {
  sem_wait(&g_test_semaphore);
  return nullptr;
}
void* WaitOnRobustMutex(void*) {
  pthread_mutex_lock(&g_robust_mutex);
  return nullptr;
}
void* WaitForThread(void*) {
  pthread_join(g_joined, nullptr);
  return nullptr;
}

// In a stripped libc the slow paths of these have no name of their own.
TEST(LiveTarget, NamesInternalFunctionsOfTheCLibrary) {
  const BlockedChild child(4, [](Shared&) {
    sem_init(&g_test_semaphore, 0, 0);
    pthread_mutexattr_t robust;
    pthread_mutexattr_init(&robust);
    pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&g_robust_mutex, &robust);
    pthread_mutex_lock(&g_robust_mutex);
    pthread_t other;
    pthread_create(&g_joined, nullptr, WaitOnSemaphore, nullptr);
    pthread_create(&other, nullptr, WaitOnRobustMutex, nullptr);
    pthread_create(&other, nullptr, WaitForThread, nullptr);
    Recurse(0);
  });
  const auto target = OpenTarget(child.pid());
  ASSERT_NE(target, nullptr);
  std::vector<std::string> names;
  for (const pid_t tid : child.Threads()) {
    const UnwoundStack stack = target->Unwind(BlockedChild::RegistersOf(tid), {});
    EXPECT_EQ(stack.stack.end, StackEnd::kComplete) << tid;
    for (const std::string& name : Functions(stack)) {
      names.emplace_back(WithoutInternalSuffix(name));
    }
  }
  EXPECT_THAT(names, IsSupersetOf({"sem_wait", "pthread_mutex_lock", "pthread_join"}));
}

TEST(LiveTarget, DescribesData) {
  const BlockedChild child(1, [](Shared& shared) {
    static std::vector<char> heap(100);
    char local = 0;
    shared.heap_mutex = reinterpret_cast<pthread_mutex_t*>(heap.data());
    shared.thread_stack = reinterpret_cast<std::uint64_t>(&local);
    Recurse(0);
  });
  const auto target = OpenTarget(child.pid());
  ASSERT_NE(target, nullptr);
  // Fork keeps addresses.
  const auto address = [](const auto& object) { return reinterpret_cast<std::uint64_t>(&object); };
  EXPECT_EQ(target->DataSymbol(address(g_test_mutex)), "ct::(anonymous namespace)::g_test_mutex");
  EXPECT_EQ(target->DataSymbol(address(g_test_table[1])),
            fmt::format("ct::(anonymous namespace)::g_test_table+{:#x}", sizeof(pthread_mutex_t)));
  EXPECT_EQ(target->DescribeAddress(address(g_test_mutex)), ".bss of target_test");
  EXPECT_EQ(target->DataSymbol(reinterpret_cast<std::uint64_t>(child.shared().heap_mutex)),
            std::nullopt);
  EXPECT_EQ(target->DescribeAddress(child.shared().thread_stack), "stack");
  EXPECT_EQ(target->DescribeAddress(0), "unmapped memory");
  EXPECT_EQ(target->DataSymbol(0), std::nullopt);
  EXPECT_EQ(target->Language(), "c++");

  const auto function = target->FunctionBeginningAt(reinterpret_cast<std::uint64_t>(&ReadAll));
  ASSERT_TRUE(function);
  struct stat status {};
  ASSERT_EQ(stat("/proc/self/exe", &status), 0);
  EXPECT_EQ(function->inode, status.st_ino);
  EXPECT_EQ(target->FunctionBeginningAt(reinterpret_cast<std::uint64_t>(&ReadAll) + 1),
            std::nullopt);
  EXPECT_EQ(target->FunctionBeginningAt(address(g_test_mutex)), std::nullopt);

  const auto mappings = target->mappings();
  const auto file = std::find_if(mappings.begin(), mappings.end(), [](const Mapping& mapping) {
    return mapping.path.ends_with("target_test");
  });
  ASSERT_NE(file, mappings.end());
  EXPECT_EQ(target->ObjectNamed(*file, "_ZN2ct12_GLOBAL__N_112g_test_tableE"),
            address(g_test_table));
  EXPECT_EQ(target->ObjectNamed(*file, "g_missing"), std::nullopt);
  const auto bss = target->SectionNamed(*file, ".bss");
  ASSERT_TRUE(bss);
  EXPECT_LE(*bss, address(g_test_mutex));
  EXPECT_EQ(target->DescribeAddress(*bss), ".bss of target_test");
  EXPECT_EQ(target->SectionNamed(*file, ".comment"), std::nullopt);  // not loaded
  EXPECT_EQ(target->SectionNamed(*file, ".missing"), std::nullopt);
}

// push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret
constexpr unsigned char kJitCode[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};

TEST(LiveTarget, GuessesThroughJitCodeAndNamesItByThePerfMap) {
  const BlockedChild child(1, [](Shared&) {
    void* code =
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memcpy(code, kJitCode, sizeof(kJitCode));
    std::ofstream map(fmt::format("/tmp/perf-{}.map", getpid()));
    map << fmt::format("{:x} {:x} jit::Method\n", reinterpret_cast<std::uint64_t>(code),
                       sizeof(kJitCode));
    map.close();
    reinterpret_cast<void (*)(void (*)())>(code)(BlockOnMutex);
  });
  const auto target = OpenTarget(child.pid());
  ASSERT_NE(target, nullptr);
  const UnwoundStack stack = target->Unwind(BlockedChild::RegistersOf(child.pid()), {});
  unlink(fmt::format("/tmp/perf-{}.map", child.pid()).c_str());
  const auto& frames = stack.stack.frames;
  const auto jit = std::find_if(frames.begin(), frames.end(), [](const Frame& frame) {
    return frame.origin == FrameOrigin::kJit;
  });
  ASSERT_NE(jit, frames.end());
  EXPECT_EQ(jit->function, "jit::Method");
  EXPECT_EQ(jit->module, kNoIndex);
  EXPECT_THAT((jit - 1)->function, HasSubstr("BlockOnMutex"));
  EXPECT_TRUE((jit + 1)->guessed);
  EXPECT_THAT(Functions(stack), Contains("main"));
  EXPECT_EQ(stack.stack.end, StackEnd::kComplete);
}

TEST(LiveTarget, RefusesAPerfMapThatIsNoFile) {
  const BlockedChild child(1, [](Shared&) {
    void* code =
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memcpy(code, kJitCode, sizeof(kJitCode));
    const std::string map = fmt::format("/tmp/perf-{}.map", getpid());
    if (mkfifo(map.c_str(), 0600) != 0) _exit(1);  // opening it would wait for ever
    reinterpret_cast<void (*)(void (*)())>(code)(BlockOnMutex);
  });
  const auto target = OpenTarget(child.pid());
  ASSERT_NE(target, nullptr);
  const UnwoundStack stack = target->Unwind(BlockedChild::RegistersOf(child.pid()), {});
  unlink(fmt::format("/tmp/perf-{}.map", child.pid()).c_str());
  EXPECT_THAT(stack.stack.frames, Contains(AllOf(Field(&Frame::origin, FrameOrigin::kJit),
                                                 Field(&Frame::function, IsEmpty()))));
}

TEST(LiveTarget, SaysThatAProcessIsNotThere) {
  constexpr pid_t kAboveEveryPid = 1 << 30;  // PID_MAX_LIMIT is 4 million
  EXPECT_EQ(Target::Open(kAboveEveryPid, MakeFileCache()).error().code, ErrorCode::kNotFound);
}

TEST(LiveTarget, FindsMappingsAndNoticesThatTheProcessIsGone) {
  auto child = std::make_unique<BlockedChild>(1, [](Shared&) { Recurse(0); });
  const auto target = OpenTarget(child->pid());
  ASSERT_NE(target, nullptr);
  const auto here = reinterpret_cast<std::uint64_t>(&BlockOnMutex);
  const Mapping* mapping = target->FindMapping(here);
  ASSERT_NE(mapping, nullptr);
  EXPECT_TRUE(mapping->executable);
  EXPECT_TRUE(target->Refresh());
  EXPECT_EQ(target->FindMapping(here), mapping) << "nothing changed, nothing was parsed again";
  const Registers registers = BlockedChild::RegistersOf(child->pid());
  child.reset();
  EXPECT_FALSE(target->Refresh());
  EXPECT_EQ(target->Unwind(registers, {}).stack.end, StackEnd::kUnreadable);
}

}  // namespace
}  // namespace ct
