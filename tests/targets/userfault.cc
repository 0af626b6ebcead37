// A 2-lock cycle with memory that nobody can read: the pages of both locks (--locks) or of one
// waiter's stack (--stack) are on a userfaultfd that is never served. Whoever touches them sleeps
// until it is killed.
#include <fcntl.h>

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tests/targets/target.h"

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kStackSize = 64 * kPage;

struct Locks {
  pthread_mutex_t first;
  pthread_mutex_t second;
};
Locks* locks;
pthread_barrier_t both_have_one;
bool healthy = false;

char* Map(size_t size) {
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) abort();
  return static_cast<char*>(address);
}

// From now on a missing page of the range waits for a handler, and all of them are missing.
void TakeAway(char* address, size_t size) {
  const int fd = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC));
  uffdio_api api{};
  api.api = UFFD_API;
  uffdio_register range{};
  range.range = {reinterpret_cast<__u64>(address), size};
  range.mode = UFFDIO_REGISTER_MODE_MISSING;
  if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0 || ioctl(fd, UFFDIO_REGISTER, &range) != 0) {
    perror("userfault: userfaultfd");
    exit(1);
  }
  if (madvise(address, size, MADV_DONTNEED) != 0) abort();
}

void* Forward(void* name) {
  NameThread(static_cast<const char*>(name));
  for (;;) {
    pthread_mutex_lock(&locks->first);
    if (!healthy) pthread_barrier_wait(&both_have_one);
    pthread_mutex_lock(&locks->second);  // LINE: forward waits
    Work();
    pthread_mutex_unlock(&locks->second);
    pthread_mutex_unlock(&locks->first);
    Rest();
  }
}

void* Backward(void* name) {
  if (healthy) return Forward(name);
  NameThread(static_cast<const char*>(name));
  pthread_mutex_lock(&locks->second);
  pthread_barrier_wait(&both_have_one);
  pthread_mutex_lock(&locks->first);  // LINE: backward waits
  abort();
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  healthy = HasOption(argc, argv, "--healthy") != 0;
  locks = reinterpret_cast<Locks*>(Map(kPage));
  pthread_mutex_init(&locks->first, nullptr);
  pthread_mutex_init(&locks->second, nullptr);
  pthread_barrier_init(&both_have_one, nullptr, 2);

  char* stack = Map(kStackSize);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, stack, kStackSize);
  pthread_t forward;
  pthread_t backward;
  pthread_create(&forward, &attributes, Forward, const_cast<char*>("forward"));
  pthread_create(&backward, nullptr, Backward, const_cast<char*>("backward"));
  // Both must sleep in the kernel before their memory goes.
  for (int i = 0; i < 200; ++i) Work();
  if (HasOption(argc, argv, "--locks")) TakeAway(reinterpret_cast<char*>(locks), kPage);
  if (HasOption(argc, argv, "--stack")) TakeAway(stack, kStackSize);
  Ready();
  Park();
}
