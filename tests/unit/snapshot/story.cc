#include "tests/unit/snapshot/story.h"

#include <charconv>

namespace ct::testing {
namespace {

constexpr DurationNs kMinute = 60 * kSecond;

template <class Rows>
std::int32_t Last(const Rows& rows) {
  return static_cast<std::int32_t>(rows.size()) - 1;
}

}  // namespace

Story::Story() {
  observation.host = {"db3", "6.1.0-28-amd64", "x86_64", 8, "0b1c"};
  observation.tool_version = "0.1.0";
  observation.begin = kEnd - 40 * kMillisecond;
  observation.end = kEnd;
  observation.realtime_offset = 1'794'000'000 * kSecond;
  observation.filter = "pid 977";
}

ProcessIndex Story::Process(std::string_view name, pid_t pid) {
  ct::Process process;
  process.id = {pid, Ago(86'400 * kSecond)};
  process.ns_pid = pid;
  process.space = static_cast<SpaceId>(observation.processes.size()) + 1;
  process.name = name;
  process.selected = true;
  observation.processes.push_back(process);
  return Last(observation.processes);
}

ModuleIndex Story::ModuleNamed(std::string_view path) {
  for (std::size_t i = 0; i < observation.modules.size(); ++i) {
    if (observation.modules[i].path == path) return static_cast<ModuleIndex>(i);
  }
  observation.modules.push_back({std::string(path), "5eed", false});
  return Last(observation.modules);
}

StackIndex Story::Stack(std::initializer_list<std::string_view> frames) {
  ct::Stack stack;
  stack.end = StackEnd::kComplete;
  for (const std::string_view text : frames) {
    const auto at = text.rfind('@');
    const std::string_view place = text.substr(at + 1);
    Frame frame;
    frame.address = 0x401000 + 16 * stack.frames.size();
    frame.module_offset = 0x1000 + 16 * stack.frames.size();
    frame.function = text.substr(0, at);
    const auto colon = place.rfind(':');
    if (colon == std::string_view::npos) {
      frame.module = ModuleNamed(place);
    } else {
      frame.module = ModuleNamed("/usr/bin/order-svc");
      frame.file = place.substr(0, colon);
      std::from_chars(place.data() + colon + 1, place.data() + place.size(), frame.line);
    }
    stack.frames.push_back(frame);
  }
  observation.stacks.push_back(stack);
  return Last(observation.stacks);
}

ActorIndex Story::Thread(ProcessIndex process_index, std::string_view name, pid_t tid,
                         StackIndex stack) {
  Actor actor;
  actor.id = {tid, Ago(86'000 * kSecond)};
  actor.name = name;
  actor.process = process_index;
  actor.ns_tid = tid;
  actor.state = RunState::kSleeping;
  actor.off_cpu_since = Ago(10 * kMinute);
  actor.still = true;
  actor.syscall.number = 202;
  actor.syscall.name = "futex";
  actor.user_stack = stack;
  observation.actors.push_back(actor);
  ++process(process_index).threads;
  return Last(observation.actors);
}

ResourceIndex Story::Mutex(std::string_view type, std::string_view symbol) {
  Resource mutex;
  mutex.kind = ResourceKind::kMutex;
  mutex.implementation = Implementation::kGlibc;
  mutex.id.space = 1;
  mutex.id.address = 0x404040 + 64 * observation.resources.size();
  mutex.type = type;
  mutex.symbol = symbol;
  mutex.holders_known = true;
  observation.resources.push_back(mutex);
  return Last(observation.resources);
}

ResourceIndex Story::HeapMutex(std::string_view type, std::uint64_t address) {
  const ResourceIndex index = Mutex(type, "");
  resource(index).id.address = address;
  resource(index).where = "heap";
  return index;
}

WaitIndex Story::Wait(ActorIndex actor, ResourceIndex resource, DurationNs age) {
  ct::Wait wait;
  wait.actor = actor;
  wait.resource = resource;
  wait.purpose = WaitPurpose::kAcquire;
  wait.evidence = Evidence::kCertain;
  wait.evidence_note = "owner word, frames in pthread_mutex_lock";
  wait.continuity = Continuity::kStill;
  wait.since = Ago(age);
  wait.private_futex = true;
  observation.waits.push_back(wait);
  return Last(observation.waits);
}

HoldIndex Story::Hold(ActorIndex actor, ResourceIndex resource) {
  ct::Hold hold;
  hold.actor = actor;
  hold.resource = resource;
  hold.evidence = Evidence::kCertain;
  hold.evidence_note = "owner word";
  observation.holds.push_back(hold);
  return Last(observation.holds);
}

void Story::Lose(std::uint64_t count, std::string_view reason, bool relevant,
                 std::string_view detail) {
  observation.losses.push_back({std::string(reason), count, relevant, std::string(detail)});
}

Told TwoThreadDeadlock() {
  Story s;
  const auto process = s.Process("order-svc", 977);
  s.process(process).language = "c++";
  const auto io = s.Thread(
      process, "io-3", 981,
      s.Stack({"__futex_abstimed_wait_common64@/usr/lib/libc.so.6",
               "pthread_mutex_lock@/usr/lib/libc.so.6",
               "std::mutex::lock()@/usr/include/c++/12/bits/std_mutex.h:100",
               "std::lock_guard<std::mutex>::lock_guard(std::mutex&)@/usr/include/c++/12/bits/"
               "std_mutex.h:229",
               "AccountStore::debit(long, long)@/src/order/account_store.cc:118",
               "Ledger::post(Entry const&)@/src/order/ledger.cc:71",
               "io_loop(int)@/src/order/main.cc:30", "start_thread@/usr/lib/libc.so.6"}));
  const auto audit = s.Thread(
      process, "audit-1", 990,
      s.Stack({"pthread_mutex_lock@/usr/lib/libc.so.6",
               "Ledger::append(Entry const&)@/src/order/ledger.cc:40",
               "Audit::run()@/src/order/audit.cc:203", "start_thread@/usr/lib/libc.so.6"}));
  const auto account = s.HeapMutex("std::mutex", 0x55d0c8);
  const auto ledger = s.Mutex("std::mutex", "g_ledger_mu");
  Finding finding;
  finding.kind = FindingKind::kDeadlock;
  finding.evidence = Evidence::kCertain;
  finding.ending = Ending::kNever;
  finding.since = Ago(668 * kSecond);
  finding.members = {io, audit};
  finding.resources = {account, ledger};
  const auto io_waits = s.Wait(io, account, 668 * kSecond);
  const auto audit_waits = s.Wait(audit, ledger, 669 * kSecond);
  finding.ring = {{io_waits, s.Hold(audit, account)}, {audit_waits, s.Hold(io, ledger)}};
  const auto get = s.Stack({"pthread_mutex_lock@/usr/lib/libc.so.6",
                            "AccountStore::get(long) const@/src/order/account_store.cc:77"});
  const auto append = s.Stack({"pthread_mutex_lock@/usr/lib/libc.so.6",
                               "Ledger::append(Entry const&)@/src/order/ledger.cc:40"});
  for (pid_t i = 0; i < 37; ++i) {
    const bool on_account = i < 31;
    const auto behind = s.Thread(process, "worker", 1000 + i, on_account ? get : append);
    s.Wait(behind, on_account ? account : ledger, 600 * kSecond);
    finding.blocked_behind.push_back(behind);
  }
  finding.proof = {"io-3 (981) slept from the first look to the second and waits without timeout",
                   "so audit-1 (990), whose lock it would release, never left its own wait"};
  return {s.observation, {finding}};
}

Told SelfDeadlock() {
  Story s;
  const auto process = s.Process("cache", 977);
  const auto thread =
      s.Thread(process, "cache", 977,
               s.Stack({"pthread_mutex_lock@/usr/lib/libc.so.6", "evict@/src/cache.c:40",
                        "insert@/src/cache.c:71", "main@/src/cache.c:99"}));
  const auto mutex = s.Mutex("pthread_mutex_t", "cache_lock");
  Finding finding;
  finding.kind = FindingKind::kDeadlock;
  finding.evidence = Evidence::kCertain;
  finding.ending = Ending::kUnlessSignalled;
  finding.since = Ago(3 * kSecond);
  finding.members = {thread};
  finding.resources = {mutex};
  finding.ring = {{s.Wait(thread, mutex, 3 * kSecond), s.Hold(thread, mutex)}};
  finding.advice = "insert already holds cache_lock when it calls evict";
  return {s.observation, {finding}};
}

Told FiveCycle() {
  Story s;
  const auto process = s.Process("philosophers", 977);
  Finding finding;
  finding.kind = FindingKind::kDeadlock;
  finding.evidence = Evidence::kCertain;
  finding.ending = Ending::kNever;
  finding.since = Ago(95 * kSecond);
  const auto stack = s.Stack({"__lll_lock_wait@/usr/lib/libc.so.6", "dine@/src/dine.c:33"});
  for (pid_t i = 0; i < 5; ++i) {
    finding.members.push_back(s.Thread(process, "p" + std::to_string(i), 980 + i, stack));
    finding.resources.push_back(s.Mutex("pthread_mutex_t", "forks+" + std::to_string(40 * i)));
  }
  for (std::size_t i = 0; i < 5; ++i) {
    const std::size_t next = (i + 1) % 5;
    finding.ring.push_back({s.Wait(finding.members[i], finding.resources[next], 95 * kSecond),
                            s.Hold(finding.members[next], finding.resources[next])});
  }
  return {s.observation, {finding}};
}

Told CrossProcessDeadlock() {
  Story s;
  const auto left = s.Process("billing", 977);
  const auto right = s.Process("shipping", 1203);
  s.process(right).unit = "shipping.service";
  s.process(right).ns_pid = 7;
  const auto a = s.Thread(left, "billing", 977, s.Stack({"settle@/src/billing.c:12"}));
  const auto b = s.Thread(right, "shipping", 1203, s.Stack({"dispatch@/src/shipping.c:34"}));
  const auto orders = s.Mutex("pthread_mutex_t (process-shared)", "");
  const auto stock = s.Mutex("pthread_mutex_t (process-shared)", "");
  for (const auto index : {orders, stock}) {
    s.resource(index).id = {true, 0, 0, 0x1a, 77, index == orders ? 0x40U : 0x80U};
    s.resource(index).where = "/dev/shm/shop";
  }
  Finding finding;
  finding.kind = FindingKind::kDeadlock;
  finding.evidence = Evidence::kCertain;
  finding.ending = Ending::kNever;
  finding.since = Ago(2 * 3600 * kSecond + 3 * kMinute);
  finding.members = {a, b};
  finding.resources = {orders, stock};
  finding.ring = {{s.Wait(a, orders, 7'380 * kSecond), s.Hold(b, orders)},
                  {s.Wait(b, stock, 7'381 * kSecond), s.Hold(a, stock)}};
  finding.advice = "Restart both processes";
  return {s.observation, {finding}};
}

Told TimedRing() {
  Told told = TwoThreadDeadlock();
  Finding& finding = told.findings.front();
  finding.ending = Ending::kTimeout;
  finding.ends_at = kEnd + 12'300 * kMillisecond;
  finding.blocked_behind.clear();
  finding.proof.clear();
  told.observation.waits[0].timed = true;
  told.observation.waits[0].deadline = finding.ends_at;
  return told;
}

Told ClosedWorld() {
  Story s;
  const auto process = s.Process("batch", 977);
  const auto stack = s.Stack(
      {"sem_wait@/usr/lib/libc.so.6", "Gate::enter()@/src/gate.cc:20", "run()@/src/batch.cc:8"});
  const auto semaphore = s.Mutex("sem_t", "gate");
  s.resource(semaphore).kind = ResourceKind::kSemaphore;
  s.resource(semaphore).holders_known = false;
  s.resource(semaphore).changed_hands = true;
  Finding finding;
  finding.kind = FindingKind::kProbableDeadlock;
  finding.evidence = Evidence::kProbable;
  finding.ending = Ending::kUnlessSignalled;
  finding.since = Ago(40 * kSecond);
  for (pid_t i = 0; i < 6; ++i) {
    const auto thread = s.Thread(process, "batch", 977 + i, stack);
    const auto wait = s.Wait(thread, semaphore, (40 + i) * kSecond);
    s.wait(wait).evidence = Evidence::kProbable;
    s.wait(wait).evidence_note = "keeps no owner";
    finding.members.push_back(thread);
  }
  finding.resources = {semaphore};
  finding.proof = {"all 6 threads of the memory space wait without timeout on private futexes"};
  return {s.observation, {finding}};
}

Told AbandonedLock() {
  Story s;
  const auto process = s.Process("prefork", 977);
  s.process(process).cpu_percent = 0.4;
  const auto mutex = s.Mutex("pthread_mutex_t", "g_log_mu");
  s.resource(mutex).abandoned = Abandoned::kInheritedOverFork;
  s.resource(mutex).abandoned_by = 960;
  Finding finding;
  finding.kind = FindingKind::kAbandonedLock;
  finding.evidence = Evidence::kCertain;
  finding.ending = Ending::kNever;
  finding.since = Ago(72 * kSecond);
  const auto stack = s.Stack({"pthread_mutex_lock@/usr/lib/libc.so.6", "log_line@/src/log.c:19"});
  for (pid_t i = 0; i < 3; ++i) {
    finding.members.push_back(s.Thread(process, "prefork", 977 + i, stack));
    s.Wait(finding.members.back(), mutex, 72 * kSecond);
  }
  finding.resources = {mutex};
  finding.advice = "Restart the process; unlock g_log_mu in a pthread_atfork handler";
  return {s.observation, {finding}};
}

namespace {

// worker-1 waits for io-7, 11 more wait behind it; the test says what io-7 does.
Told LongWait(Story& s, ActorIndex root, ResourceIndex mutex, DurationNs age) {
  const ProcessIndex process = s.actor(root).process;
  const auto stack = s.Stack(
      {"pthread_mutex_lock@/usr/lib/libc.so.6", "Store::get(std::string const&)@/src/store.cc:12"});
  Finding finding;
  finding.kind = FindingKind::kLongWait;
  finding.evidence = Evidence::kCertain;
  finding.ending = Ending::kMayEnd;
  finding.since = Ago(age);
  for (pid_t i = 0; i < 12; ++i) {
    finding.members.push_back(s.Thread(process, "worker-" + std::to_string(i + 1), 990 + i, stack));
    s.Wait(finding.members.back(), mutex, age - i * kSecond);
  }
  finding.resources = {mutex};
  finding.chain = {{0, s.Hold(root, mutex)}};
  finding.root = root;
  return {s.observation, {finding}};
}

}  // namespace

Told LongWaitOnSocket() {
  Story s;
  const auto process = s.Process("order-svc", 977);
  const auto root =
      s.Thread(process, "io-7", 985,
               s.Stack({"__recv@/usr/lib/libc.so.6", "PQgetResult@/usr/lib/libpq.so.5",
                        "Db::query(char const*)@/src/db.cc:88"}));
  s.actor(root).syscall = {45, "recvfrom", "socket 10.0.0.4:5432", {}};
  return LongWait(s, root, s.Mutex("std::mutex", "g_store_mu"), 48 * kSecond);
}

Told LongWaitOnStopped() {
  Story s;
  const auto process = s.Process("order-svc", 977);
  const auto root =
      s.Thread(process, "io-7", 985, s.Stack({"Db::query(char const*)@/src/db.cc:88"}));
  s.actor(root).state = RunState::kStopped;
  Told told = LongWait(s, root, s.Mutex("std::mutex", "g_store_mu"), 48 * kSecond);
  told.findings.front().ending = Ending::kNever;
  told.findings.front().advice = "Continue it: kill -CONT 985";
  return told;
}

Told LongWaitInKernel() {
  Story s;
  const auto process = s.Process("order-svc", 977);
  const auto root = s.Thread(process, "io-7", 985,
                             s.Stack({"fsync@/usr/lib/libc.so.6", "Wal::flush()@/src/wal.cc:140"}));
  s.actor(root).state = RunState::kUninterruptible;
  s.actor(root).syscall = {74, "fsync", "file /mnt/nfs/wal", {}};
  s.actor(root).kernel_stack =
      s.Stack({"rpc_wait_bit_killable@[kernel]", "nfs_commit_inode@[kernel]",
               "nfs_file_fsync@[kernel]", "do_fsync@[kernel]", "do_syscall_64@[kernel]"});
  for (Frame& frame : s.observation.stacks.back().frames) {
    frame = Frame{.origin = FrameOrigin::kKernel, .function = frame.function};
  }
  return LongWait(s, root, s.Mutex("std::mutex", "g_wal_mu"), 15 * kSecond);
}

Told HotLock() {
  Story s;
  const auto process = s.Process("order-svc", 977);
  const auto mutex = s.Mutex("std::mutex", "g_stats_mu");
  const auto add = s.Stack({"pthread_mutex_lock@/usr/lib/libc.so.6",
                            "void Stats::add<long>(char const*, long)@/src/stats.cc:21"});
  const auto dump = s.Stack(
      {"pthread_mutex_lock@/usr/lib/libc.so.6", "(anonymous namespace)::dump()@/src/stats.cc:60"});
  const auto holder = s.Thread(process, "w0", 980, add);
  s.actor(holder).state = RunState::kRunning;
  s.Hold(holder, mutex);
  Finding finding;
  finding.kind = FindingKind::kHotLock;
  finding.evidence = Evidence::kCertain;
  finding.ending = Ending::kMayEnd;
  finding.since = Ago(12 * kMillisecond);
  for (pid_t i = 0; i < 9; ++i) {
    finding.members.push_back(s.Thread(process, "w", 981 + i, i < 8 ? add : dump));
    s.Wait(finding.members.back(), mutex, (12 - i) * kMillisecond);
  }
  finding.resources = {mutex};
  return {s.observation, {finding}};
}

Told NothingFound() {
  Story s;
  const auto process = s.Process("order-svc", 977);
  s.process(process).verdict = Verdict::kIdle;
  s.process(process).verdict_detail = "12 threads asleep, none waits for a lock";
  const auto stack = s.Stack({"pthread_cond_wait@/usr/lib/libc.so.6",
                              "std::condition_variable::wait(std::unique_lock<std::mutex>&)@"
                              "/usr/lib/libstdc++.so.6",
                              "Pool::work()@/src/pool.cc:30"});
  for (pid_t i = 0; i < 12; ++i) {
    const auto thread = s.Thread(process, "pool", 977 + i, stack);
    const auto condition = s.Mutex("std::condition_variable", "");
    s.resource(condition).kind = ResourceKind::kCondition;
    s.wait(s.Wait(thread, condition, (5 + i) * kSecond)).purpose = WaitPurpose::kEvent;
  }
  s.Lose(3, "no source line", false, "");
  return {s.observation, {}};
}

Told NothingFoundButLosses() {
  Told told = NothingFound();
  told.observation.losses.push_back({"thread unreadable: reader deadline", 2, true, "pid 977"});
  told.observation.degradations = {"no task iterator in this kernel: threads read from /proc"};
  return told;
}

Told WholeHost() {
  Story s;
  s.observation.filter.clear();
  s.observation.cost.threads_visited = 412;
  const auto stack = s.Stack({"main@/src/main.c:1"});
  for (pid_t i = 0; i < 40; ++i) {
    const auto process = s.Process("svc-" + std::to_string(i), 1000 + i);
    s.Thread(process, "main", 1000 + i, stack);
    s.process(process).verdict = i == 7   ? Verdict::kBlocked
                                 : i == 9 ? Verdict::kSpinning
                                 : i < 20 ? Verdict::kIdle
                                          : Verdict::kBusy;
  }
  s.process(7).verdict_detail = "1 thread waits for mutex 0x404040 (unknown holder)";
  return {s.observation, {}};
}

Told HostileNames() {
  Told told = TwoThreadDeadlock();
  Observation& observation = told.observation;
  const std::string evil = "\x1b]0;owned\x07\x1b[2J\nDEADLOCK  fake\xff\xc2\x9b\u202e";
  const std::string endless(100'000, 'x');
  observation.processes[0].name = evil;
  observation.processes[0].language = evil;
  observation.actors[0].name = evil;
  observation.actors[1].name = endless;
  observation.resources[0].type = evil;
  observation.resources[1].symbol = endless;
  for (Stack& stack : observation.stacks) {
    for (Frame& frame : stack.frames) {
      if (frame.function == "Ledger::append(Entry const&)") frame.function = evil + "(int)";
      if (frame.file == "/src/order/account_store.cc") frame.file = endless;
    }
  }
  observation.losses = {{evil, 1, true, evil}};
  observation.degradations = {evil};
  told.findings[0].proof = {evil, endless};
  told.findings[0].advice = evil;
  return told;
}

namespace {

LockContention ContendedLock() {
  LockContention lock;
  lock.resource = 0;
  lock.process = 0;
  lock.purpose = WaitPurpose::kAcquire;
  lock.purpose_known = true;
  lock.waits.waits = 1'000;
  lock.waits.total = 50'000'000'001;
  lock.waits.max = 2'000'000'003;
  lock.waits.timeouts = 17;
  for (std::size_t i = 0; i < WaitHistogram::kBuckets; ++i) {
    lock.waits.histogram.counts[i] = 100 + i;
  }
  lock.holds = {900, 40'000'000'009, 1'500'000'007};
  lock.waiters = 3;
  lock.waiting = 60'000'000'011;
  lock.stacks = {{1, 20, 30'000, 4'000}, {2, 21, 31'000, 4'100}, {kNoIndex, 1, 2, 3}};
  lock.threads = {{{981, 12}, "io-3", 22, 32'000, 4'200},
                  {{982, 13}, "audit-1", 23, 33'000, 4'300}};
  lock.releasers = {{983, 977, "io-4", 24, 34'000}, {984, 978, "", 25, 35'000}};
  lock.holders = {{985, 977, "io-6", 26, 36'000}};
  return lock;
}

GilContention ContendedGil() {
  GilContention gil;
  gil.resource = 0;
  gil.process = 0;
  gil.waiters = {{{981, 12}, "io-3", 22, 32'000, 4'200, 1}, {}};
  gil.holders = {{{983, 14}, "crunch", 2, true, 40}, {}};
  gil.slices = {{kEnd - 2 * kSecond, kSecond, 1'500'000'000, 20, 19, 1, 12}, {}};
  return gil;
}

}  // namespace

Told Everything() {
  Told told = LongWaitInKernel();
  Observation& o = told.observation;
  o.spaces = {{1, 13, true}, {2, 1, false}};
  o.modules[0].deleted = true;
  o.processes[0] = {
      {977, 5},     1,        4026531836, 1,  1,    "order-svc",       "/usr/bin/order-svc",
      "/a.slice/b", "a.unit", "c++",      13, 12.5, Verdict::kBlocked, "on g_wal_mu",
      true};
  o.stacks[0].frames[0].inlined = true;
  o.stacks[0].frames[0].guessed = true;
  o.stacks[0].frames[0].of_pool = true;
  o.stacks[0].frames[0].module = kNoIndex;
  o.stacks[0].end = StackEnd::kTooDeep;
  o.actors[0].kind = ActorKind::kTask;
  o.actors[0].task = 0x7f00'0000'0001;
  o.actors[0].request = "GET /orders/{id}";
  o.actors[0].client = "10.0.4.17";
  o.actors[0].created_at = 1;
  o.actors[0].switches = 1'234'567;
  o.actors[0].signal_may_interrupt = true;
  o.actors[0].syscall.deadline = kEnd + 5;
  o.resources[0].rule = ReleaseRule::kAllHolders;
  o.resources[0].capacity = 10;
  o.resources[0].in_use = 9;
  o.resources[0].readers = 2;
  o.resources[0].idle = 1;
  o.resources[0].high_water = 8;
  o.resources[0].lost_units = {{0x7f00'0000'0002, "asyncpg.connection.Connection", "global conn"}};
  o.resources[0].queue_before = QueueLength{kEnd - 7, 3};
  o.resources[0].abandoned = Abandoned::kTidReused;
  o.resources[0].abandoned_by = 4;
  o.resources[0].where = ".bss";
  o.resources[0].id = {true, 3, 4, 5, 6, 7};
  o.waits[0].mode = AccessMode::kShared;
  o.waits[0].purpose = WaitPurpose::kJoin;
  o.waits[0].evidence = Evidence::kProbable;
  o.waits[0].continuity = Continuity::kContinued;
  o.waits[0].not_before = 9;
  o.waits[0].unmoved_since = 11;
  o.waits[0].deadline = kEnd + 1;
  o.waits[0].timed = true;
  o.holds[0].mode = AccessMode::kShared;
  o.holds[0].evidence = Evidence::kProbable;
  o.holds[0].since = 12;
  o.holds[0].acquired_at = 1;
  o.swallowed_exceptions = {
      {0, 0x7f10, true, "sync", "ValueError", "no price", 0, 1, "shop.running", Evidence::kCertain},
      {kNoIndex, 0x7f20, false, "", "KeyError", "", kNoIndex, kNoIndex, "", Evidence::kProbable}};
  o.never_awaited = {{0, 0, 3, "shop.pending", Evidence::kProbable}};
  o.uses = {{0, 0, UseKind::kInside, Evidence::kCertain, 1, "", 0},
            {1, 0, UseKind::kThreadLocal, Evidence::kProbable, kNoIndex, "user", 57}};
  o.loops.since = kEnd - 20 * kSecond;
  o.loops.threshold = 100 * kMillisecond;
  o.loops.loops = {{0, 1000, 9 * kSecond, 3 * kSecond, 4, 4 * kSecond, 2, kSecond}, {}};
  o.loops.blocks = {
      {0, BlockCause::kSyscall, Evidence::kCertain, "read on pipe", "GET /thumb", true, 0, 3,
       2 * kSecond, kSecond, kEnd - 5 * kSecond, kEnd - 9 * kSecond, 7, false},
      {}};
  o.loops.blocks[1].in_progress = true;
  o.contention.since = kEnd - 30 * kSecond;
  o.contention.min_wait = 250;
  o.contention.locks = {ContendedLock(), ContendedLock()};
  o.contention.gils = {ContendedGil(), {}};
  o.contention.locks[1].purpose = WaitPurpose::kJoin;
  o.contention.locks[1].purpose_known = false;
  o.contention.locks[1].waits.histogram.counts = {0, 0, 7};  // zeros at the end are left out
  o.contention.locks[1].stacks.clear();
  o.contention.locks[1].threads.pop_back();
  o.hold_activity.since = kEnd - 40 * kSecond;
  o.hold_activity.long_hold = 300;
  o.hold_activity.orders = {
      {0,
       0,
       0,
       {{{981, 12}, "io-3", 1, 2, AccessMode::kShared, AccessMode::kExclusive, {0}, kEnd - 13},
        {{982, 13}, "", kNoIndex, kNoIndex, AccessMode::kExclusive, AccessMode::kShared, {}, 14}},
       true},
      {}};
  o.hold_activity.long_holds = {
      {0, 0, {981, 12}, "io-3", AccessMode::kShared, Evidence::kCertain, kEnd - 15, 16, true, 1, 2},
      {}};
  o.hold_activity.resources = {{0, 0, {17, 18, 19}, 20}, {}};
  o.losses = {{"no source line", 3, false, "libx"}, {"32-bit task", 1, true, ""}};
  o.degradations = {"no BTF", "no CAP_SYS_PTRACE"};
  o.cost = {1, 2, 3, 4, 5, 6, 7, 8};
  Finding& f = told.findings[0];
  f.ends_at = kEnd + 9;
  f.ring = {{1, 0}, {kNoIndex, kNoIndex}};
  f.blocked_behind = {3, 2};
  f.exceptions = {1, 0};
  f.never_awaited = {0};
  f.loop_blocks = {1, 0};
  f.orders = {{0, 1}, {1, kNoIndex}, {kNoIndex, kNoIndex}};
  f.long_holds = {1, 0};
  f.proof = {"one", "two"};
  f.advice = "none";
  f.id = 0xfeed'beef'0000'0001;
  f.first_seen = 10;
  f.last_seen = 20;
  f.ended = true;
  told.findings.push_back(Finding{});
  return told;
}

}  // namespace ct::testing
