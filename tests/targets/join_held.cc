// main holds a lock while it joins the thread that waits for it.
#include <mutex>
#include <thread>

#include "tests/targets/target.h"

std::mutex g_config_mu;

namespace {

void Reload() {
  NameThread("reload");
  g_config_mu.lock();  // LINE: reload waits
  Work();
  g_config_mu.unlock();
}

void Shutdown(bool healthy) {
  g_config_mu.lock();
  std::thread reload(Reload);
  Work();
  if (healthy) g_config_mu.unlock();
  reload.join();  // LINE: main waits
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  NameThread("main");
  const bool healthy = HasOption(argc, argv, "--healthy") != 0;
  Ready();
  do {
    Shutdown(healthy);
  } while (healthy);
}
