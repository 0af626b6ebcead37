// A target made of bytes: memory, threads and frames that a test writes down.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "locks/decode.h"

namespace ct {

// Regions are separate mappings: what is not written cannot be read.
class FakeMemory final : public Memory {
 public:
  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override {
    ++reads;
    bytes_asked += out.size();
    std::size_t done = 0;
    for (; done < out.size(); ++done) {
      const auto byte = bytes_.find(address + done);
      if (byte == bytes_.end()) break;
      out[done] = byte->second;
    }
    return done;
  }
  void Map(std::uint64_t address, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) bytes_[address + i] = std::byte{0};
  }
  template <class T>
  void Write(std::uint64_t address, T value) {
    std::array<std::byte, sizeof(T)> raw;
    std::memcpy(raw.data(), &value, sizeof(T));
    for (std::size_t i = 0; i < raw.size(); ++i) bytes_[address + i] = raw[i];
  }
  template <class T>
  void WriteAll(std::uint64_t address, std::initializer_list<T> values) {
    for (const T value : values) {
      Write(address, value);
      address += sizeof(T);
    }
  }

  std::size_t reads = 0;
  std::size_t bytes_asked = 0;

 private:
  std::map<std::uint64_t, std::byte> bytes_;
};

struct FakeThreads final : ThreadDirectory {
  std::vector<pid_t> same_space;
  std::vector<pid_t> others;
  std::map<std::uint64_t, pid_t> thread_pointers;

  bool InSameSpace(pid_t tid) const override {
    return std::find(same_space.begin(), same_space.end(), tid) != same_space.end();
  }
  bool Exists(pid_t tid) const override {
    return InSameSpace(tid) || std::find(others.begin(), others.end(), tid) != others.end();
  }
  pid_t ByThreadPointer(std::uint64_t pointer) const override {
    const auto found = thread_pointers.find(pointer);
    return found == thread_pointers.end() ? 0 : found->second;
  }
};

inline std::vector<Frame> Frames(const std::vector<const char*>& functions) {
  std::vector<Frame> frames;
  for (const char* function : functions) {
    Frame frame;
    frame.function = function;
    frame.module = 0;
    frames.push_back(std::move(frame));
  }
  return frames;
}

// Futex operations with their flags, as strace prints them.
inline constexpr std::uint64_t kWait = 0;
inline constexpr std::uint64_t kWaitPrivate = 128;
inline constexpr std::uint64_t kWaitBitset = 9;
inline constexpr std::uint64_t kWaitBitsetPrivate = 9 | 128;
inline constexpr std::uint64_t kWaitBitsetRealtime = 9 | 256;
inline constexpr std::uint64_t kWaitBitsetPrivateRealtime = 9 | 128 | 256;
inline constexpr std::uint64_t kLockPiPrivate = 6 | 128;
inline constexpr std::uint64_t kLockPi2Private = 13 | 128;

// One blocked thread and all that can be read about it.
struct Scene {
  FakeMemory memory;
  FakeThreads threads;
  std::vector<Module> modules{{"/usr/lib/x86_64-linux-gnu/libc.so.6", "", false}};
  std::vector<Frame> frames;
  BlockedThread thread;

  void Futex(std::uint64_t word, std::uint64_t op, std::uint32_t value, std::uint64_t timeout = 0) {
    thread.syscall = 202;
    thread.arguments = {word, op, value, timeout, 0, 0xffffffff};
  }
  std::optional<WaitReading> Decode() {
    thread.frames = frames;
    thread.modules = modules;
    return DecodeWait(thread, memory, threads);
  }
};

}  // namespace ct
