#include "tests/targets/plugin.h"

#include <condition_variable>
#include <mutex>

namespace {

std::mutex g_plugin_mu;
std::condition_variable g_plugin_given;
plugin::SlotPool g_plugin_pool;

}  // namespace

namespace plugin {

__attribute__((noinline)) Slot* SlotPool::take() {
  std::unique_lock<std::mutex> lock(g_plugin_mu);
  for (;;) {
    for (int i = 0; i < 2; ++i) {
      if (taken_[i]) continue;
      taken_[i] = true;
      return &slots_[i];
    }
    g_plugin_given.wait(lock);
  }
}

__attribute__((noinline)) void SlotPool::give(Slot* slot) {
  const std::lock_guard<std::mutex> lock(g_plugin_mu);
  taken_[slot - slots_] = false;
  g_plugin_given.notify_one();
}

}  // namespace plugin

plugin::SlotPool* plugin_pool() { return &g_plugin_pool; }

plugin::Slot* plugin_take(plugin::SlotPool* pool) {
  plugin::Slot* const slot = pool->take();  // LINE: plugin takes
  return slot;
}

void plugin_give(plugin::SlotPool* pool, plugin::Slot* slot) { pool->give(slot); }
