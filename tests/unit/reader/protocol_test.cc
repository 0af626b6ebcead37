// The tracer and its reader are one program: what one says, the other must hear, to the last field.
#include "reader/protocol.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/unique_fd.h"

namespace ct {
namespace {

LocatedWait EveryFieldSet() {
  LocatedWait wait;
  WaitReading& reading = wait.reading;
  reading.kind = ResourceKind::kRwLock;
  reading.implementation = Implementation::kMusl;
  reading.type = "pthread_rwlock_t";
  reading.object = 0x7fff12345678;
  reading.futex_word = 0x7fff12345680;
  reading.process_shared = true;
  reading.mode = AccessMode::kShared;
  reading.purpose = WaitPurpose::kAcquire;
  reading.evidence = Evidence::kCertain;
  reading.evidence_note = "frames";
  reading.owner_ns_tid = 7;
  reading.owner_format = OwnerFormat::kThreadPointer;
  reading.owner_address = 0x7fff12345690;
  reading.holders_known = true;
  reading.robust = true;
  reading.owner_died = true;
  reading.capacity = 3;
  reading.timed = true;
  reading.timeout_ns = -5;
  reading.timeout_is_absolute = true;
  reading.timeout_is_realtime = true;
  reading.private_futex = true;
  reading.expected = 0x80000007;
  reading.word_matches = true;
  wait.symbol = "g_lock";
  wait.where = "/dev/shm/x";
  wait.device = 5;
  wait.inode = 6;
  wait.offset = 7;
  return wait;
}

TEST(Protocol, CarriesEveryFieldOfAWait) {
  wire::Wait message;
  ToWire(EveryFieldSet(), message);
  EXPECT_EQ(FromWire(message), EveryFieldSet());
}

TEST(Protocol, CarriesEveryFieldOfAThread) {
  ThreadRead thread;
  thread.tid = 42;
  thread.wait = EveryFieldSet();
  Frame frame{FrameOrigin::kJit, 0x1000, 2, 0x20, "f\xff", "a.cc", 17, true, true};
  thread.stack = {{frame, Frame{}}, StackEnd::kTooDeep};
  thread.syscall_object = "pipe";
  thread.syscall_timeout = 5;
  thread.gone = true;
  thread.not_seen = "its lock";
  wire::ThreadReading message;
  ToWire(thread, message);
  EXPECT_EQ(FromWire(message), thread);
}

TEST(Protocol, CarriesEveryFieldOfARequest) {
  ProcessToRead request;
  request.pid = 4242;
  ThreadToRead thread;
  thread.tid = 4243;
  thread.ns_tid = 3;
  thread.syscall = 202;
  thread.arguments = {1, 2, 3, 4, 5, 6};
  for (std::size_t i = 0; i < thread.registers.dwarf.size(); ++i) {
    thread.registers.dwarf[i] = i + 100;
  }
  thread.registers.thread_pointer = 99;
  thread.want_lock = true;
  thread.want_stack = true;
  request.threads.push_back(thread);
  request.space_threads.push_back({3, 99});
  request.owners.push_back({4243, EveryFieldSet()});
  request.source_lines = true;
  request.max_frames = 12;
  request.want_process = true;
  request.want_python = true;
  request.files.push_back({8, 9});
  request.stacks.push_back({3, thread.registers});
  request.referrers.push_back({0x1000, {3, 4}});
  wire::ReadRequest message;
  ToWire(request, message);
  const ProcessToRead back = FromWire(message);
  EXPECT_EQ(back.pid, request.pid);
  ASSERT_EQ(back.threads.size(), 1U);
  EXPECT_EQ(back.threads[0].tid, thread.tid);
  EXPECT_EQ(back.threads[0].ns_tid, thread.ns_tid);
  EXPECT_EQ(back.threads[0].syscall, thread.syscall);
  EXPECT_EQ(back.threads[0].arguments, thread.arguments);
  EXPECT_EQ(back.threads[0].registers, thread.registers);
  EXPECT_TRUE(back.threads[0].want_lock && back.threads[0].want_stack);
  ASSERT_EQ(back.space_threads.size(), 1U);
  EXPECT_EQ(back.space_threads[0].ns_tid, 3);
  EXPECT_EQ(back.space_threads[0].thread_pointer, 99U);
  ASSERT_EQ(back.owners.size(), 1U);
  EXPECT_EQ(back.owners[0].wait, EveryFieldSet());
  EXPECT_TRUE(back.source_lines && back.want_process && back.want_python);
  EXPECT_EQ(back.max_frames, 12U);
  EXPECT_EQ(back.files, request.files);
  ASSERT_EQ(back.stacks.size(), 1U);
  EXPECT_EQ(back.stacks[0].ns_tid, 3);
  EXPECT_EQ(back.stacks[0].registers.dwarf, thread.registers.dwarf);
  ASSERT_EQ(back.referrers.size(), 1U);
  EXPECT_EQ(back.referrers[0].address, 0x1000U);
  EXPECT_EQ(back.referrers[0].waiters, request.referrers[0].waiters);
}

TEST(Protocol, DoesNotBelieveEnumsOfTheReader) {
  wire::Wait message;
  message.set_kind(200);
  message.set_evidence(200);
  message.set_purpose(77);
  EXPECT_EQ(FromWire(message).reading.kind, ResourceKind::kFutex);
  EXPECT_EQ(FromWire(message).reading.evidence, Evidence::kUnknown);
  EXPECT_EQ(FromWire(message).reading.purpose, WaitPurpose::kAcquire);
}

class SocketPair : public testing::Test {
 protected:
  void SetUp() override {
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    left_.Reset(pair[0]);
    right_.Reset(pair[1]);
  }
  UniqueFd left_;
  UniqueFd right_;
};

TEST_F(SocketPair, CarriesMessages) {
  wire::ReadRequest sent;
  sent.set_pid(7);
  ASSERT_TRUE(SendMessage(left_.get(), sent));
  ASSERT_TRUE(SendMessage(left_.get(), wire::ReadRequest()));  // an empty one is a message too
  wire::ReadRequest received;
  ASSERT_TRUE(ReceiveMessage(right_.get(), 0, received));
  EXPECT_EQ(received.pid(), 7);
  ASSERT_TRUE(ReceiveMessage(right_.get(), 0, received));
  EXPECT_EQ(received.pid(), 0);
}

TEST_F(SocketPair, GivesUpAtTheDeadline) {
  wire::ReadRequest received;
  const TimeNs begin = MonotonicNow();
  const Status status = ReceiveMessage(right_.get(), begin + 30 * kMillisecond, received);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kTimeout);
  EXPECT_GE(MonotonicNow() - begin, 30 * kMillisecond);
}

TEST_F(SocketPair, RefusesAMessageThatIsTooLong) {
  const unsigned char prefix[4] = {0xff, 0xff, 0xff, 0x7f};
  ASSERT_EQ(send(left_.get(), prefix, sizeof(prefix), 0), 4);
  wire::ReadRequest received;
  const Status status = ReceiveMessage(right_.get(), MonotonicNow() + kSecond, received);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kMalformed);
}

TEST_F(SocketPair, NoticesThatTheOtherSideIsGone) {
  left_.Reset();
  wire::ReadRequest received;
  const Status status = ReceiveMessage(right_.get(), 0, received);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace ct
