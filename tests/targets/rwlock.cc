// Two writers take two rwlocks in opposite order.
#include <thread>

#include "tests/targets/target.h"

pthread_rwlock_t g_routes = PTHREAD_RWLOCK_INITIALIZER;
pthread_rwlock_t g_peers = PTHREAD_RWLOCK_INITIALIZER;

namespace {

pthread_barrier_t both_have_one;

void AddRoute() {
  NameThread("route");
  pthread_rwlock_wrlock(&g_routes);
  pthread_barrier_wait(&both_have_one);
  pthread_rwlock_wrlock(&g_peers);  // LINE: route waits
  abort();
}

void DropPeer() {
  NameThread("peer");
  pthread_rwlock_wrlock(&g_peers);
  pthread_barrier_wait(&both_have_one);
  pthread_rwlock_rdlock(&g_routes);  // LINE: peer waits
  abort();
}

void InOrder(const char* name, bool write_peers) {
  NameThread(name);
  for (;;) {
    pthread_rwlock_wrlock(&g_routes);
    if (write_peers) {
      pthread_rwlock_wrlock(&g_peers);
    } else {
      pthread_rwlock_rdlock(&g_peers);
    }
    Work();
    pthread_rwlock_unlock(&g_peers);
    pthread_rwlock_unlock(&g_routes);
    Rest();
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  const bool healthy = HasOption(argc, argv, "--healthy") != 0;
  pthread_barrier_init(&both_have_one, nullptr, 2);
  std::thread route(healthy ? [] { InOrder("route", true); } : AddRoute);
  std::thread peer(healthy ? [] { InOrder("peer", false); } : DropPeer);
  Ready();
  Park();
}
