/* The 2-lock cycle in a static musl binary. musl keeps an owner in typed mutexes only: one is
 * recursive, one error-checking. */
#include "tests/targets/target.h"

pthread_mutex_t g_inbox;
pthread_mutex_t g_outbox;

static pthread_barrier_t both_have_one;

static void* Receive(void* unused) {
  NameThread("receive");
  pthread_mutex_lock(&g_inbox);
  pthread_barrier_wait(&both_have_one);
  pthread_mutex_lock(&g_outbox); /* LINE: receive waits */
  abort();
  return unused;
}

static void* Send(void* unused) {
  NameThread("send");
  pthread_mutex_lock(&g_outbox);
  pthread_barrier_wait(&both_have_one);
  pthread_mutex_lock(&g_inbox); /* LINE: send waits */
  abort();
  return unused;
}

static void* InOrder(void* name) {
  NameThread((const char*)name);
  for (;;) {
    pthread_mutex_lock(&g_inbox);
    pthread_mutex_lock(&g_outbox);
    Work();
    pthread_mutex_unlock(&g_outbox);
    pthread_mutex_unlock(&g_inbox);
    Rest();
  }
  return NULL;
}

int main(int argc, char** argv) {
  DieWithParent();
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&g_inbox, &attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&g_outbox, &attributes);
  pthread_barrier_init(&both_have_one, NULL, 2);

  const int healthy = HasOption(argc, argv, "--healthy");
  pthread_t receive;
  pthread_t send;
  pthread_create(&receive, NULL, healthy ? InOrder : Receive, "receive");
  pthread_create(&send, NULL, healthy ? InOrder : Send, "send");
  Ready();
  Park();
}
