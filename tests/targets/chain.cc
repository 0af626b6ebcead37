// A chain of locks with a root that is in no lock: front waits for middle, middle for root, and
// root holds the last lock and --reads from a socket, --sleeps, --spins, or is in --vfork (state
// D).
#include <mutex>
#include <thread>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/targets/target.h"

std::mutex g_session_mu;
std::mutex g_connection_mu;

namespace {

constexpr unsigned kLongSleepSeconds = 3600;
pthread_barrier_t root_holds;
pthread_barrier_t middle_holds;
int option_count;
char** options;

bool Has(const char* option) { return HasOption(option_count, options, option) != 0; }

void ReadSocket() {
  int ends[2];
  char byte = 0;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) abort();
  if (read(ends[0], &byte, 1) < 0) abort();  // LINE: root reads
}

void SleepLong() {
  timespec left{kLongSleepSeconds, 0};
  nanosleep(&left, nullptr);  // LINE: root sleeps
}

[[noreturn]] void Spin() {
  volatile unsigned long turns = 0;
  for (;;) turns = turns + 1;  // LINE: root spins
}

// The parent of a vfork child sleeps in state D until the child ends or runs another program.
void EnterD() {
  const pid_t child = vfork();  // LINE: root is in D
  if (child == 0) {
    pause();
    _exit(0);
  }
}

void BeRoot() {
  NameThread("root");
  g_connection_mu.lock();
  pthread_barrier_wait(&root_holds);
  if (Has("--reads")) ReadSocket();
  if (Has("--sleeps")) SleepLong();
  if (Has("--spins")) Spin();
  if (Has("--vfork")) EnterD();
  abort();
}

void BeMiddle() {
  NameThread("middle");
  pthread_barrier_wait(&root_holds);
  g_session_mu.lock();
  pthread_barrier_wait(&middle_holds);
  // The front's wait is the older one.
  for (int i = 0; i < 20; ++i) Work();
  g_connection_mu.lock();  // LINE: middle waits
  abort();
}

void BeFront() {
  NameThread("front");
  pthread_barrier_wait(&middle_holds);
  g_session_mu.lock();  // LINE: front waits
  abort();
}

void InOrder(const char* name) {
  NameThread(name);
  for (;;) {
    {
      const std::lock_guard<std::mutex> session(g_session_mu);
      const std::lock_guard<std::mutex> connection(g_connection_mu);
      Work();
    }
    Rest();
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  option_count = argc;
  options = argv;
  const bool healthy = Has("--healthy");
  pthread_barrier_init(&root_holds, nullptr, 2);
  pthread_barrier_init(&middle_holds, nullptr, 2);
  std::thread root(healthy ? [] { InOrder("root"); } : BeRoot);
  std::thread middle(healthy ? [] { InOrder("middle"); } : BeMiddle);
  std::thread front(healthy ? [] { InOrder("front"); } : BeFront);
  Ready();
  Park();
}
