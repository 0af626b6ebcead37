// Loads a library with a pool of two slots, and begins at SIGUSR1; --loads-later: loads it then.
//   (nothing)  "left" and "right" have one slot each and want a second: nobody can go on
//   --closes   loads it, uses it and closes it, thirty times over; says DONE and ends with status 0
#include <dlfcn.h>

#include <string>
#include <thread>

#include "tests/targets/plugin.h"
#include "tests/targets/target.h"

namespace {

pthread_barrier_t both_have_one;

struct Plugin {
  void* library = nullptr;
  decltype(&plugin_pool) pool = nullptr;
  decltype(&plugin_take) take = nullptr;
  decltype(&plugin_give) give = nullptr;
};

Plugin Load(const std::string& path) {
  Plugin plugin;
  plugin.library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (plugin.library == nullptr) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  plugin.pool = reinterpret_cast<decltype(&plugin_pool)>(dlsym(plugin.library, "plugin_pool"));
  plugin.take = reinterpret_cast<decltype(&plugin_take)>(dlsym(plugin.library, "plugin_take"));
  plugin.give = reinterpret_cast<decltype(&plugin_give)>(dlsym(plugin.library, "plugin_give"));
  return plugin;
}

void TakeTwo(const char* name, const Plugin& plugin) {
  NameThread(name);
  plugin.take(plugin.pool());  // LINE: slot taken
  pthread_barrier_wait(&both_have_one);
  plugin.take(plugin.pool());  // LINE: slot wanted
  abort();
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  HoldBack();
  pthread_barrier_init(&both_have_one, nullptr, 2);
  const std::string self = argv[0];
  const std::string path = self.substr(0, self.rfind('/') + 1) + "libplugin.so";
  const bool later = HasOption(argc, argv, "--loads-later") != 0;
  const bool closes = HasOption(argc, argv, "--closes") != 0;
  Plugin plugin;
  if (!later && !closes) plugin = Load(path);
  Ready();
  AwaitBegin();
  for (int i = 0; closes && i < 30; ++i) {
    const Plugin each = Load(path);
    plugin::Slot* const slot = each.take(each.pool());
    SleepMicroseconds(20'000);
    each.give(each.pool(), slot);
    dlclose(each.library);
  }
  if (closes) {
    Done();
    return 0;
  }
  if (later) {
    plugin = Load(path);
    // Time to find it in.
    SleepMicroseconds(2'000'000);
  }
  for (const char* name : {"left", "right"}) {
    std::thread([name, plugin] { TakeTwo(name, plugin); }).detach();
  }
  Done();
  Park();
}
