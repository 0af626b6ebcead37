// Semaphores as locks and as signals. Begins at SIGUSR1.
//   (nothing)   "import" and "export" use two of one unit as locks, in opposite order: a deadlock
//   --signal    "producer" posts, "consumer" waits: nobody has what producer posts
//   --initial   as --signal, beginning with units of nobody, so that consumer is ahead
//   --waits     "reader" has a semaphore of one unit and works; "writer" waits
//   --passed-on taken by one thread, given back by another, a hundred times
//   --given-back "taker" takes a unit, which "giver" gives back at once; both live on
//   --reborn    a lock, then at its address a signal, whose one unit "waiter" keeps; then a lock
//   again,
//               while waiter lives on
//   --hogged    a lock of one unit: "hog" takes it for --milliseconds=N after some short turns
//   --healthy   the two locks in one order
#include <semaphore.h>

#include <thread>

#include "tests/targets/target.h"

sem_t g_tape;
sem_t g_disk;
sem_t g_items;

namespace {

pthread_barrier_t both_have_one;

void Import() {
  NameThread("import");
  sem_wait(&g_tape);  // LINE: import takes
  pthread_barrier_wait(&both_have_one);
  sem_wait(&g_disk);  // LINE: import waits
  sem_post(&g_disk);
  sem_post(&g_tape);
}

void Export() {
  NameThread("export");
  sem_wait(&g_disk);  // LINE: export takes
  pthread_barrier_wait(&both_have_one);
  sem_wait(&g_tape);  // LINE: export waits
  sem_post(&g_tape);
  sem_post(&g_disk);
}

void InOrder(const char* name) {
  NameThread(name);
  for (;;) {
    sem_wait(&g_tape);
    sem_wait(&g_disk);
    Work();
    sem_post(&g_disk);
    sem_post(&g_tape);
    Rest();
  }
}

void Signal(unsigned initial) {
  sem_init(&g_items, 0, initial);
  std::thread([] {
    NameThread("producer");
    for (;;) {
      Work();
      sem_post(&g_items);
    }
  }).detach();
  std::thread([] {
    NameThread("consumer");
    for (;;) sem_wait(&g_items);  // LINE: consumer waits
  }).detach();
}

void OneWaits() {
  std::thread([] {
    NameThread("reader");
    sem_wait(&g_tape);  // LINE: reader takes
    pthread_barrier_wait(&both_have_one);
    Park();  // LINE: reader works
  }).detach();
  std::thread([] {
    NameThread("writer");
    pthread_barrier_wait(&both_have_one);
    sem_wait(&g_tape);  // LINE: writer waits
  }).detach();
}

void PassOn() {
  for (int i = 0; i < 100; ++i) {
    std::thread([] { sem_wait(&g_tape); }).join();
    std::thread([] { sem_post(&g_tape); }).join();
  }
}

// As CPython's threading.Condition and Event have it: who waits has taken the lock before, and who
// notifies lets go of it.
void GiveBack() {
  std::thread([] {
    NameThread("taker");
    sem_wait(&g_tape);
    pthread_barrier_wait(&both_have_one);
    Park();
  }).detach();
  std::thread([] {
    NameThread("giver");
    pthread_barrier_wait(&both_have_one);
    sem_post(&g_tape);
    Park();
  }).detach();
}

void TakeTurns() {
  for (int i = 0; i < 10; ++i) {
    sem_wait(&g_tape);
    sem_post(&g_tape);
  }
}

void MakeAnew() {
  sem_destroy(&g_tape);
  sem_init(&g_tape, 0, 1);
}

// As malloc does it with the semaphores that CPython's locks are.
void Reborn() {
  std::thread(TakeTurns).join();
  MakeAnew();
  std::thread([] {
    NameThread("waiter");
    sem_wait(&g_tape);
    pthread_barrier_wait(&both_have_one);
    Park();
  }).detach();
  pthread_barrier_wait(&both_have_one);
  usleep(800'000);
  sem_post(&g_tape);
  MakeAnew();
  std::thread(TakeTurns).join();
}

void Hog(long milliseconds) {
  NameThread("hog");
  TakeTurns();
  sem_wait(&g_tape);                                     // LINE: hog takes
  usleep(static_cast<useconds_t>(milliseconds * 1000));  // LINE: hog works
  sem_post(&g_tape);                                     // LINE: hog lets go
  Park();
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  HoldBack();
  sem_init(&g_tape, 0, 1);
  sem_init(&g_disk, 0, 1);
  pthread_barrier_init(&both_have_one, nullptr, 2);
  Ready();
  AwaitBegin();
  if (HasOption(argc, argv, "--signal")) {
    Signal(0);
  } else if (HasOption(argc, argv, "--initial")) {
    Signal(5);
  } else if (HasOption(argc, argv, "--waits")) {
    OneWaits();
  } else if (HasOption(argc, argv, "--passed-on")) {
    PassOn();
  } else if (HasOption(argc, argv, "--given-back")) {
    GiveBack();
  } else if (HasOption(argc, argv, "--reborn")) {
    Reborn();
  } else if (HasOption(argc, argv, "--hogged")) {
    std::thread(Hog, NumberOption(argc, argv, "--milliseconds", 1500)).detach();
  } else if (HasOption(argc, argv, "--healthy")) {
    for (const char* name : {"import", "export"}) std::thread(InOrder, name).detach();
  } else {
    std::thread(Import).detach();
    std::thread(Export).detach();
  }
  Done();
  Park();
}
