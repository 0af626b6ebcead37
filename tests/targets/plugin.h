// What plugin_host loads: a library with a lock and a pool of its own.
#pragma once

namespace plugin {

struct Slot {
  int number = 0;
};

class SlotPool {
 public:
  Slot* take();
  void give(Slot* slot);

 private:
  Slot slots_[2];
  bool taken_[2] = {};
};

}  // namespace plugin

extern "C" plugin::SlotPool* plugin_pool();
extern "C" plugin::Slot* plugin_take(plugin::SlotPool* pool);
extern "C" void plugin_give(plugin::SlotPool* pool, plugin::Slot* slot);
