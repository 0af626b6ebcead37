// Two threads that block each other over and over, never at once: each waits for the lock that the
// other holds, in turns. Two looks that are not one moment would see a cycle here.
#include <thread>

#include "tests/targets/target.h"

pthread_mutex_t g_ping = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t g_pong = PTHREAD_MUTEX_INITIALIZER;

namespace {

// Holds its own lock while it works, lets it go, then waits for the other's: at no moment does a
// thread hold one and wait for the other.
void Play(const char* name, pthread_mutex_t* own, pthread_mutex_t* other) {
  NameThread(name);
  for (;;) {
    pthread_mutex_lock(own);
    Work();
    pthread_mutex_unlock(own);
    pthread_mutex_lock(other);
    pthread_mutex_unlock(other);
  }
}

}  // namespace

int main() {
  DieWithParent();
  std::thread ping(Play, "ping", &g_ping, &g_pong);
  std::thread pong(Play, "pong", &g_pong, &g_ping);
  Ready();
  Park();
}
