#include "reader/protocol.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>

namespace ct {
namespace {

// The reader is less trusted than the tracer: an enum value out of range becomes the first one.
template <class Enum>
Enum Bounded(std::uint32_t value, Enum last) {
  return value <= static_cast<std::uint32_t>(last) ? static_cast<Enum>(value) : Enum{};
}

void CopyRegisters(const google::protobuf::RepeatedField<std::uint64_t>& from, Registers& to) {
  std::copy_n(from.begin(), std::min<std::size_t>(from.size(), to.dwarf.size()), to.dwarf.begin());
}

Status ReceiveBytes(int fd, TimeNs deadline, char* into, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    int wait_ms = -1;
    if (deadline != 0) {
      const DurationNs left = deadline - MonotonicNow();
      if (left <= 0) return Fail(ErrorCode::kTimeout, "the reader did not answer in time");
      wait_ms = static_cast<int>(left / kMillisecond) + 1;
    }
    pollfd ready{fd, POLLIN, 0};
    const int polled = poll(&ready, 1, wait_ms);
    if (polled < 0 && errno == EINTR) continue;
    if (polled < 0) return FailErrno("waiting for the reader", errno);
    if (polled == 0) continue;
    const ssize_t got = recv(fd, into + done, size - done, MSG_DONTWAIT);
    if (got == 0) return Fail(ErrorCode::kIo, "the reader is gone");
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got < 0) return FailErrno("the reader's socket", errno);
    done += static_cast<std::size_t>(got);
  }
  return {};
}

}  // namespace

Status SendMessage(int fd, const google::protobuf::MessageLite& message) {
  const std::size_t size = message.ByteSizeLong();
  if (size > kMaxMessageBytes) return Fail(ErrorCode::kMalformed, "a message is too long");
  std::string bytes(4, '\0');
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>(size >> (8 * i));
  message.AppendToString(&bytes);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t sent = send(fd, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return FailErrno("the reader's socket", errno);
    done += static_cast<std::size_t>(sent);
  }
  return {};
}

Status ReceiveMessage(int fd, TimeNs deadline, google::protobuf::MessageLite& message) {
  unsigned char prefix[4];
  if (Status status = ReceiveBytes(fd, deadline, reinterpret_cast<char*>(prefix), sizeof(prefix));
      !status) {
    return status;
  }
  std::size_t size = 0;
  for (std::size_t i = 0; i < 4; ++i) size |= static_cast<std::size_t>(prefix[i]) << (8 * i);
  if (size > kMaxMessageBytes) return Fail(ErrorCode::kMalformed, "a message is too long");
  std::string bytes(size, '\0');
  if (Status status = ReceiveBytes(fd, deadline, bytes.data(), size); !status) return status;
  if (!message.ParseFromString(bytes)) {
    return Fail(ErrorCode::kMalformed, "a message of the reader cannot be parsed");
  }
  return {};
}

void ToWire(const ProcessToRead& request, wire::ReadRequest& message) {
  message.set_pid(request.pid);
  message.set_source_lines(request.source_lines);
  message.set_max_frames(request.max_frames);
  message.set_want_process(request.want_process);
  message.set_want_python(request.want_python);
  message.set_want_forgotten(request.want_forgotten);
  for (const std::string& name : request.exclusive_classes) message.add_exclusive_classes(name);
  message.set_want_threads(request.want_threads);
  message.set_want_loops(request.want_loops);
  message.set_loop_locks(request.loop_locks);
  message.mutable_loop_threads()->Assign(request.loop_threads.begin(), request.loop_threads.end());
  message.set_want_task_probe(request.want_task_probe);
  message.set_want_frame_probe(request.want_frame_probe);
  for (const CodePoint& point : request.code_points) {
    wire::CodePoint& to = *message.add_code_points();
    to.set_code(point.code);
    to.set_offset(point.offset);
  }
  for (const FunctionToFind& function : request.functions) {
    ToWire(function, *message.add_functions());
  }
  for (const MemoryToRead& memory : request.memory) {
    wire::MemoryRange& to = *message.add_memory();
    to.set_address(memory.address);
    to.set_size(memory.bytes);
  }
  for (const std::uint64_t address : request.objects) message.add_objects(address);
  for (const ThreadToRead& thread : request.threads) {
    wire::ThreadRequest& to = *message.add_threads();
    to.set_stack_goes_on(thread.stack_goes_on);
    to.set_tid(thread.tid);
    to.set_ns_tid(thread.ns_tid);
    to.set_syscall(thread.syscall);
    for (const std::uint64_t argument : thread.arguments) to.add_arguments(argument);
    for (const std::uint64_t value : thread.registers.dwarf) to.add_registers(value);
    to.set_thread_pointer(thread.registers.thread_pointer);
    to.set_want_lock(thread.want_lock);
    to.set_want_stack(thread.want_stack);
    for (const MemoryCopy& copy : thread.copies) {
      wire::MemoryCopy& content = *to.add_copies();
      content.set_address(copy.address);
      content.set_content(copy.bytes);
    }
  }
  for (const SpaceThread& thread : request.space_threads) {
    wire::SpaceThread& to = *message.add_space_threads();
    to.set_ns_tid(thread.ns_tid);
    to.set_thread_pointer(thread.thread_pointer);
  }
  for (const MappedFile& file : request.files) {
    wire::File& to = *message.add_files();
    to.set_device(file.device);
    to.set_inode(file.inode);
  }
  for (const StackToScan& stack : request.stacks) {
    wire::StackRequest& to = *message.add_stacks();
    to.set_ns_tid(stack.ns_tid);
    for (const std::uint64_t value : stack.registers.dwarf) to.add_registers(value);
  }
  for (const ReferrersToFind& find : request.referrers) {
    wire::ReferrersRequest& to = *message.add_referrers();
    to.set_address(find.address);
    to.mutable_waiters()->Assign(find.waiters.begin(), find.waiters.end());
  }
  for (const OwnerToRead& owner : request.owners) {
    wire::OwnerRequest& to = *message.add_owners();
    to.set_tid(owner.tid);
    ToWire(owner.wait, *to.mutable_reading());
  }
}

ProcessToRead FromWire(const wire::ReadRequest& message) {
  ProcessToRead request;
  request.pid = message.pid();
  request.source_lines = message.source_lines();
  request.max_frames = message.max_frames();
  request.want_process = message.want_process();
  request.exclusive_classes.assign(message.exclusive_classes().begin(),
                                   message.exclusive_classes().end());
  request.want_python = message.want_python();
  request.want_forgotten = message.want_forgotten();
  request.want_threads = message.want_threads();
  request.want_loops = message.want_loops();
  request.loop_locks = message.loop_locks();
  request.loop_threads.assign(message.loop_threads().begin(), message.loop_threads().end());
  request.want_task_probe = message.want_task_probe();
  request.want_frame_probe = message.want_frame_probe();
  for (const wire::CodePoint& from : message.code_points()) {
    request.code_points.push_back({from.code(), from.offset()});
  }
  for (const wire::FunctionQuery& from : message.functions()) {
    request.functions.push_back(FromWire(from));
  }
  for (const wire::MemoryRange& from : message.memory()) {
    request.memory.push_back({from.address(), from.size()});
  }
  request.objects.assign(message.objects().begin(), message.objects().end());
  for (const wire::ThreadRequest& from : message.threads()) {
    ThreadToRead thread;
    thread.stack_goes_on = from.stack_goes_on();
    thread.tid = from.tid();
    thread.ns_tid = from.ns_tid();
    thread.syscall = from.syscall();
    std::copy_n(from.arguments().begin(),
                std::min<std::size_t>(from.arguments().size(), thread.arguments.size()),
                thread.arguments.begin());
    CopyRegisters(from.registers(), thread.registers);
    thread.registers.thread_pointer = from.thread_pointer();
    thread.want_lock = from.want_lock();
    thread.want_stack = from.want_stack();
    for (const wire::MemoryCopy& copy : from.copies()) {
      thread.copies.push_back({copy.address(), copy.content()});
    }
    request.threads.push_back(std::move(thread));
  }
  for (const wire::SpaceThread& from : message.space_threads()) {
    request.space_threads.push_back({from.ns_tid(), from.thread_pointer()});
  }
  for (const wire::File& from : message.files()) {
    request.files.push_back({from.device(), from.inode()});
  }
  for (const wire::StackRequest& from : message.stacks()) {
    StackToScan stack;
    stack.ns_tid = from.ns_tid();
    CopyRegisters(from.registers(), stack.registers);
    request.stacks.push_back(stack);
  }
  for (const wire::ReferrersRequest& from : message.referrers()) {
    request.referrers.push_back({from.address(), {from.waiters().begin(), from.waiters().end()}});
  }
  for (const wire::OwnerRequest& from : message.owners()) {
    request.owners.push_back({from.tid(), FromWire(from.reading())});
  }
  return request;
}

void ToWire(const ThreadRead& thread, wire::ThreadReading& message) {
  message.set_tid(thread.tid);
  if (thread.wait) ToWire(*thread.wait, *message.mutable_wait());
  for (const Frame& frame : thread.stack.frames) {
    wire::Frame& to = *message.add_frames();
    to.set_origin(static_cast<std::uint32_t>(frame.origin));
    to.set_address(frame.address);
    to.set_module(frame.module);
    to.set_module_offset(frame.module_offset);
    to.set_function(frame.function);
    to.set_file(frame.file);
    to.set_line(frame.line);
    to.set_inlined(frame.inlined);
    to.set_guessed(frame.guessed);
  }
  message.set_stack_end(static_cast<std::uint32_t>(thread.stack.end));
  message.set_syscall_object(thread.syscall_object);
  if (thread.syscall_timeout) message.set_syscall_timeout_ns(*thread.syscall_timeout);
  message.set_gone(thread.gone);
  message.set_not_seen(thread.not_seen);
}

ThreadRead FromWire(const wire::ThreadReading& message) {
  ThreadRead thread;
  thread.tid = message.tid();
  if (message.has_wait()) thread.wait = FromWire(message.wait());
  for (const wire::Frame& from : message.frames()) {
    Frame frame;
    frame.origin = Bounded(from.origin(), FrameOrigin::kPython);
    frame.address = from.address();
    frame.module = from.module();
    frame.module_offset = from.module_offset();
    frame.function = from.function();
    frame.file = from.file();
    frame.line = from.line();
    frame.inlined = from.inlined();
    frame.guessed = from.guessed();
    thread.stack.frames.push_back(std::move(frame));
  }
  thread.stack.end = Bounded(message.stack_end(), StackEnd::kNotRead);
  thread.syscall_object = message.syscall_object();
  if (message.has_syscall_timeout_ns()) thread.syscall_timeout = message.syscall_timeout_ns();
  thread.gone = message.gone();
  thread.not_seen = message.not_seen();
  return thread;
}

void ToWire(const LocatedWait& wait, wire::Wait& message) {
  const WaitReading& reading = wait.reading;
  message.set_kind(static_cast<std::uint32_t>(reading.kind));
  message.set_implementation(static_cast<std::uint32_t>(reading.implementation));
  message.set_type(reading.type);
  message.set_object(reading.object);
  message.set_futex_word(reading.futex_word);
  message.set_process_shared(reading.process_shared);
  message.set_mode(static_cast<std::uint32_t>(reading.mode));
  message.set_purpose(static_cast<std::uint32_t>(reading.purpose));
  message.set_evidence(static_cast<std::uint32_t>(reading.evidence));
  message.set_evidence_note(reading.evidence_note);
  message.set_owner_ns_tid(reading.owner_ns_tid);
  message.set_holders_known(reading.holders_known);
  message.set_robust(reading.robust);
  message.set_owner_died(reading.owner_died);
  if (reading.capacity) message.set_capacity(*reading.capacity);
  message.set_timed(reading.timed);
  if (reading.timeout_ns) message.set_timeout_ns(*reading.timeout_ns);
  message.set_timeout_is_absolute(reading.timeout_is_absolute);
  message.set_timeout_is_realtime(reading.timeout_is_realtime);
  message.set_private_futex(reading.private_futex);
  message.set_word_matches(reading.word_matches);
  message.set_owner_format(static_cast<std::uint32_t>(reading.owner_format));
  message.set_owner_address(reading.owner_address);
  message.set_readers_address(reading.readers_address);
  message.set_readers(reading.readers);
  message.set_expected(reading.expected);
  message.set_symbol(wait.symbol);
  message.set_where(wait.where);
  message.set_device(wait.device);
  message.set_inode(wait.inode);
  message.set_offset(wait.offset);
}

LocatedWait FromWire(const wire::Wait& message) {
  LocatedWait wait;
  WaitReading& reading = wait.reading;
  reading.kind = Bounded(message.kind(), ResourceKind::kEventLoop);
  reading.implementation = Bounded(message.implementation(), Implementation::kCpython);
  reading.type = message.type();
  reading.object = message.object();
  reading.futex_word = message.futex_word();
  reading.process_shared = message.process_shared();
  reading.mode = Bounded(message.mode(), AccessMode::kShared);
  reading.purpose = Bounded(message.purpose(), WaitPurpose::kJoin);
  reading.evidence = Bounded(message.evidence(), Evidence::kCertain);
  reading.evidence_note = message.evidence_note();
  reading.owner_ns_tid = message.owner_ns_tid();
  reading.holders_known = message.holders_known();
  reading.robust = message.robust();
  reading.owner_died = message.owner_died();
  if (message.has_capacity()) reading.capacity = message.capacity();
  reading.timed = message.timed();
  if (message.has_timeout_ns()) reading.timeout_ns = message.timeout_ns();
  reading.timeout_is_absolute = message.timeout_is_absolute();
  reading.timeout_is_realtime = message.timeout_is_realtime();
  reading.private_futex = message.private_futex();
  reading.word_matches = message.word_matches();
  reading.owner_format = Bounded(message.owner_format(), OwnerFormat::kThreadPointer);
  reading.owner_address = message.owner_address();
  reading.readers_address = message.readers_address();
  reading.readers = message.readers();
  reading.expected = static_cast<std::uint32_t>(message.expected());
  wait.symbol = message.symbol();
  wait.where = message.where();
  wait.device = message.device();
  wait.inode = message.inode();
  wait.offset = message.offset();
  return wait;
}

void ToWire(const Module& module, wire::Module& message) {
  message.set_path(module.path);
  message.set_build_id(module.build_id);
  message.set_deleted(module.deleted);
}

Module FromWire(const wire::Module& message) {
  return {message.path(), message.build_id(), message.deleted()};
}

}  // namespace ct
