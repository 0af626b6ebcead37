// Looks like a deadlock with thread 1 and is none. "worker" holds g_report_mu and waits in malloc
// for glibc's arena lock, which keeps no owner; the words where a mutex would have owner and kind
// are `have_fastchunks` (1) and the empty list of the smallest fast bin (0). main, which is thread
// 1 in a pid namespace of its own, waits for g_report_mu. Who really has the arena is "keeper".
#include <malloc.h>

#include <array>
#include <atomic>
#include <mutex>
#include <thread>

#include "tests/targets/target.h"

std::mutex g_report_mu;

namespace {

// Offset of malloc_state.top, to which the list of unsorted chunks points (glibc 2.26 to 2.42,
// x86-64: mutex, flags, have_fastchunks, ten fast bins).
constexpr size_t kTopOffset = 96;
constexpr size_t kFastSize =
    0x28;  // the second smallest fast bin, so that the smallest stays empty
constexpr size_t kLargeSize = 2000;  // too big for the per-thread cache
constexpr size_t kGuardSize = 200;   // keeps the large chunk away from the top
constexpr int kCachedChunks = 7;     // what that cache keeps of one size
constexpr int kLockedWithWaiters = 2;

pthread_barrier_t threads_started;
std::atomic<bool> arena_taken{false};

// A freed large chunk is the only unsorted one: its links point into the arena. The pointer is
// volatile because the compiler rightly suspects who reads freed memory.
int* ArenaLock() {
  char** volatile large = static_cast<char**>(malloc(kLargeSize));
  void* volatile guard = malloc(kGuardSize);
  char** links = large;
  free(large);
  __asm__ volatile("" : "+r"(links));
  char* const top = links[0];
  free(guard);
  return reinterpret_cast<int*>(top - kTopOffset);
}

void MakeFastChunks() {
  std::array<void*, kCachedChunks + 1> chunks{};
  for (void*& chunk : chunks) chunk = malloc(kFastSize);
  for (void* chunk : chunks) free(chunk);
}

void KeepArena(int* lock) {
  NameThread("keeper");
  pthread_barrier_wait(&threads_started);
  __atomic_store_n(lock, kLockedWithWaiters, __ATOMIC_SEQ_CST);
  arena_taken = true;
  Park();
}

void Report() {
  NameThread("worker");
  const std::lock_guard<std::mutex> report(g_report_mu);
  pthread_barrier_wait(&threads_started);
  while (!arena_taken) Work();
  for (;;) {
    void* volatile page = malloc(kLargeSize);  // LINE: worker waits
    free(page);
    Work();
  }
}

void ReportAgain(const char* name) {
  NameThread(name);
  for (;;) {
    {
      const std::lock_guard<std::mutex> report(g_report_mu);
      void* volatile page = malloc(kLargeSize);
      free(page);
      Work();
    }
    Rest();
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  NameThread("main");
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  setvbuf(stdout, nullptr, _IONBF, 0);
  int* lock = ArenaLock();
  MakeFastChunks();
  if (*lock != 0 || lock[2] != 1 || lock[4] != 0) {
    fprintf(stderr, "malloc_arena: this glibc's arena looks otherwise: %d %d %d\n", lock[0],
            lock[2], lock[4]);
    return 1;
  }
  Ready();
  if (HasOption(argc, argv, "--healthy")) {
    std::thread worker(ReportAgain, "worker");
    ReportAgain("main");
  }
  pthread_barrier_init(&threads_started, nullptr, 3);
  std::thread keeper(KeepArena, lock);
  std::thread worker(Report);
  pthread_barrier_wait(&threads_started);
  g_report_mu.lock();  // LINE: main waits
  abort();
}
