// Two initializations that take long: "once" and "guard" wait for the threads that run them.
#include <mutex>
#include <thread>

#include "tests/targets/target.h"

namespace {

pthread_once_t loaded = PTHREAD_ONCE_INIT;

int LoadForEver() {
  Park();
  return 0;
}

void RunOnce() {
  pthread_once(&loaded, [] { LoadForEver(); });
}

int RunGuard() {
  static const int kLoaded = LoadForEver();
  return kLoaded;
}

void Start(const char* name, void (*run)()) {
  std::thread([name, run] {
    NameThread(name);
    run();
  }).detach();
  for (int i = 0; i < 20; ++i) Work();
}

}  // namespace

int main() {
  DieWithParent();
  Start("once runs", RunOnce);
  Start("once", RunOnce);
  Start("guard runs", [] { RunGuard(); });
  Start("guard", [] { RunGuard(); });
  Ready();
  Park();
}
