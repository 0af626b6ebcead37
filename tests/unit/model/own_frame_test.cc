#include "model/own_frame.h"

#include <gtest/gtest.h>

#include "tests/unit/snapshot/story.h"

namespace ct {
namespace {

struct Seen {
  Place innermost;
  Place around;
  bool operator==(const Seen&) const = default;
};
void PrintTo(const Seen& seen, std::ostream* out) {
  *out << seen.innermost.function << ' ' << seen.innermost.location << " around "
       << seen.around.function << ' ' << seen.around.location;
}

Seen Look(std::initializer_list<std::string_view> frames) {
  testing::Story story;
  const StackIndex stack = story.Stack(frames);
  OwnFrames own(story.observation);
  return {own.Innermost(stack), own.Around(stack)};
}

TEST(OwnFrames, SkipsTheRuntimeOfCxx) {
  EXPECT_EQ(
      Look({"__lll_lock_wait@/usr/lib/libc.so.6", "pthread_mutex_lock@/usr/lib/libc.so.6",
            "__gthread_mutex_lock(pthread_mutex_t*)@/usr/include/gthr-default.h:749",
            "std::mutex::lock()@/usr/include/c++/12/bits/std_mutex.h:100",
            "Ledger::append(Entry)@/src/ledger.cc:40",
            "void std::__invoke_impl<void, void (*)()>(std::__invoke_other)@/usr/include/i.h:61",
            "Audit::run()@/src/audit.cc:203",
            "std::thread::_State_impl<X>::_M_run()@/usr/include/std_thread.h:210",
            "start_thread@/usr/lib/libc.so.6"}),
      (Seen{{"Ledger::append", "ledger.cc:40"}, {"Audit::run", "audit.cc:203"}}));
}

TEST(OwnFrames, SkipsTheRuntimeOfRust) {
  EXPECT_EQ(
      Look({"syscall@/usr/lib/libc.so.6", "std::sys::sync::mutex::futex::Mutex::lock@/s/f.rs:1",
            "parking_lot::raw_mutex::RawMutex::lock_slow@/p/raw_mutex.rs:262",
            "shop::store::get@/src/store.rs:12",
            "core::ops::function::FnOnce::call_once@/c/function.rs:250"}),
      (Seen{{"shop::store::get", "store.rs:12"}, {"shop::store::get", "store.rs:12"}}));
}

TEST(OwnFrames, PrefersOwnCodeToALibraryWithoutLines) {
  EXPECT_EQ(Look({"PQgetResult@/usr/lib/libpq.so.5", "Db::query()@/src/db.cc:88"}),
            (Seen{{"Db::query", "db.cc:88"}, {"Db::query", "db.cc:88"}}));
  EXPECT_EQ(Look({"__poll@/usr/lib/libc.so.6", "PQgetResult@/usr/lib/libpq.so.5"}),
            (Seen{{"PQgetResult", "libpq.so.5"}, {"PQgetResult", "libpq.so.5"}}));
}

TEST(OwnFrames, ShowsWhatThereIs) {
  EXPECT_EQ(Look({"@/opt/shop/bin/shop", "__poll@/usr/lib/libc.so.6"}),
            (Seen{{"__poll", "libc.so.6"}, {"__poll", "libc.so.6"}}));
  EXPECT_EQ(Look({"@/opt/shop/bin/shop"}), (Seen{{"shop+0x1000", ""}, {"shop+0x1000", ""}}));
  EXPECT_EQ(Look({}), Seen{});
  testing::Story story;
  OwnFrames own(story.observation);
  EXPECT_EQ(own.Innermost(kNoIndex), Place{});
  EXPECT_EQ(own.Innermost(7), Place{});
}

TEST(OwnFrames, AProgramsOwnPoolIsNotWhoAsksIt) {
  testing::Story story;
  const StackIndex stack = story.Stack({"pthread_cond_wait@/usr/lib/libc.so.6",
                                        "Pool::acquire()@/src/pool.cc:20", "run()@/src/app.cc:8"});
  EXPECT_EQ(OwnFrames(story.observation).Innermost(stack), (Place{"Pool::acquire", "pool.cc:20"}));
  story.observation.stacks[0].frames[1].of_pool = true;
  EXPECT_EQ(OwnFrames(story.observation).Innermost(stack), (Place{"run", "app.cc:8"}));
}

TEST(OwnFrames, TellsOwnPythonFromItsLibrary) {
  testing::Story story;
  const StackIndex stack =
      story.Stack({"wait@/usr/lib/python3.11/threading.py:320",
                   "take@/usr/lib/python3/dist-packages/pool.py:8", "load@/srv/shop/orders.py:41"});
  const StackIndex packages = story.Stack({"wait@/usr/lib/python3.11/threading.py:320",
                                           "take@/usr/lib/python3/dist-packages/pool.py:8"});
  for (Stack& each : story.observation.stacks) {
    for (Frame& frame : each.frames) frame.origin = FrameOrigin::kPython;
  }
  OwnFrames own(story.observation);
  EXPECT_EQ(own.Innermost(stack), (Place{"load", "orders.py:41"}));
  // Nor is the program's own pool who asks.
  story.observation.stacks[0].frames[2].of_pool = true;
  EXPECT_EQ(OwnFrames(story.observation).Innermost(stack), (Place{"take", "pool.py:8"}));
  // A method that a library has wrapped by code made at run time, and `python -c`.
  const StackIndex wrapped = story.Stack(
      {"bind@<string>:2", "execute@/usr/lib/python3/dist-packages/orm.py:9", "load@<string>:1"});
  for (Frame& frame : story.observation.stacks.back().frames) frame.origin = FrameOrigin::kPython;
  EXPECT_EQ(OwnFrames(story.observation).Innermost(wrapped), (Place{"load", "<string>:1"}));
  // Where there is nothing else, an installed package is more than the standard library.
  EXPECT_EQ(own.Innermost(packages), (Place{"take", "pool.py:8"}));
}

}  // namespace
}  // namespace ct
