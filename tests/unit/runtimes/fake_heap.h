// A CPython heap made of bytes, as 3.11 lays it out.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtimes/cpython/objects.h"

namespace ct::cpython {

// Pages that were never written cannot be read.
class SparseMemory final : public Memory {
 public:
  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override {
    ++reads;
    std::size_t done = 0;
    while (done < out.size()) {
      const auto page = pages_.find((address + done) / kPage);
      if (page == pages_.end()) break;
      const std::size_t offset = (address + done) % kPage;
      const std::size_t length = std::min(out.size() - done, kPage - offset);
      std::memcpy(out.data() + done, page->second->data() + offset, length);
      done += length;
    }
    return done;
  }
  void WriteBytes(std::uint64_t address, std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) {
      auto& page = pages_[address / kPage];
      if (!page) page = std::make_unique<std::array<std::byte, kPage>>();
      (*page)[address++ % kPage] = byte;
    }
  }
  template <class T>
  void Write(std::uint64_t address, const T& value) {
    WriteBytes(address, std::as_bytes(std::span(&value, 1)));
  }

  std::size_t reads = 0;

 private:
  static constexpr std::size_t kPage = 4096;
  std::map<std::uint64_t, std::unique_ptr<std::array<std::byte, kPage>>> pages_;
};

class FakeHeap {
 public:
  FakeHeap() : heap(memory, *OffsetsOf(11)) {
    type_ = New(512, 0);
    InitType(type_, "type", 1ULL << 31);
    memory.Write(type_ + 8, type_);
    str_ = NewType("str", 1 << 28);
    dict_ = NewType("dict", 1 << 29);
    list_ = NewType("list", 1 << 25);
    tuple_ = NewType("tuple", 1 << 26);
    set_ = NewType("set", 0);
    deque_ = NewType("collections.deque", 0);
    bytes_ = NewType("bytes", 1 << 27);
  }

  Address New(std::size_t size, Address type) {
    next_ = (next_ + 63) & ~Address{63};  // room for what stands before an object
    const Address address = next_ + 64;
    next_ = address + size;
    const std::vector<std::byte> zeros(size);
    memory.WriteBytes(address, zeros);
    memory.Write<std::uint64_t>(address, 1);
    memory.Write(address + 8, type);
    return address;
  }
  Address CString(std::string_view text) {
    const Address address = New(text.size() + 17, 0);
    memory.WriteBytes(address + 16, std::as_bytes(std::span(text)));
    return address + 16;
  }
  Address NewType(std::string_view name, std::uint64_t flags) {
    const Address type = New(1024, type_);
    InitType(type, name, flags);
    return type;
  }
  Address Str(std::string_view text) {
    const Address object = New(48 + text.size() + 1, str_);
    memory.Write<std::uint64_t>(object + 16, text.size());
    memory.Write<std::uint32_t>(object + 32, 1 << 2 | 1 << 5 | 1 << 6);
    memory.WriteBytes(object + 48, std::as_bytes(std::span(text)));
    return object;
  }
  Address List(const std::vector<Address>& items) {
    const Address storage = New(16 + items.size() * 8, 0) + 16;
    WriteWords(storage, items);
    const Address list = New(40, list_);
    memory.Write<std::uint64_t>(list + 16, items.size());
    memory.Write(list + 24, storage);
    memory.Write<std::uint64_t>(list + 32, items.size());
    return list;
  }
  Address Tuple(const std::vector<Address>& items) {
    const Address tuple = New(24 + items.size() * 8, tuple_);
    memory.Write<std::uint64_t>(tuple + 16, items.size());
    WriteWords(tuple + 24, items);
    return tuple;
  }
  Address Dict(const std::vector<std::pair<std::string, Address>>& items) {
    constexpr std::uint8_t kLog2Size = 6;
    const Address keys = New(32 + 64 + items.size() * 16, 0);
    memory.Write<std::uint8_t>(keys + 8, kLog2Size);
    memory.Write<std::uint8_t>(keys + 9, kLog2Size);
    memory.Write<std::uint8_t>(keys + 10, 1);
    memory.Write<std::uint64_t>(keys + 24, items.size());
    Address entry = keys + 32 + 64;
    for (const auto& [name, value] : items) {
      memory.Write(entry, Str(name));
      memory.Write(entry + 8, value);
      entry += 16;
    }
    const Address dict = New(48, dict_);
    memory.Write<std::uint64_t>(dict + 16, items.size());
    memory.Write(dict + 32, keys);
    return dict;
  }
  Address Deque(const std::vector<Address>& items) {
    constexpr std::size_t kLeft = 60;  // begins near the end of a block
    const Address deque = New(64, deque_);
    memory.Write<std::uint64_t>(deque + 16, items.size());
    memory.Write<std::uint64_t>(deque + 40, kLeft);
    Address link = deque + 24;
    std::size_t index = kLeft;
    Address block = 0;
    for (const Address item : items) {
      if (block == 0 || index == 64) {
        if (block != 0) index = 0;
        block = New(66 * 8, 0);
        memory.Write(link, block);
        link = block + 65 * 8;
      }
      memory.Write(deque + 32, block);
      memory.Write<std::uint64_t>(deque + 48, index);
      memory.Write(block + 8 + index++ * 8, item);
    }
    return deque;
  }
  Address Set(const std::vector<Address>& items, std::uint64_t slots) {
    const Address table = New(16 + slots * 16, 0) + 16;
    for (std::size_t i = 0; i < items.size(); ++i) memory.Write(table + i * 32, items[i]);
    const Address set = New(200, set_);
    memory.Write<std::uint64_t>(set + 16, items.size());
    memory.Write<std::uint64_t>(set + 24, items.size());
    memory.Write<std::uint64_t>(set + 32, slots - 1);
    memory.Write(set + 40, table);
    return set;
  }
  Address Bytes(std::string_view text) {
    const Address object = New(33 + text.size(), bytes_);
    memory.Write<std::uint64_t>(object + 16, text.size());
    memory.WriteBytes(object + 32, std::as_bytes(std::span(text)));
    return object;
  }

  // A function of so many locals and slots of stack.
  Address Code(std::string_view name, std::int32_t locals, std::int32_t stack_size) {
    if (code_ == 0) code_ = NewType("code", 0);
    const Address code = New(256, code_);
    memory.Write(code + 40, Bytes(""));
    memory.Write(code + 68, stack_size);
    memory.Write<std::int32_t>(code + 72, 7);
    memory.Write(code + 76, locals);
    memory.Write(code + 96, Tuple({}));
    memory.Write(code + 112, Str("app.py"));
    memory.Write(code + 128, Str(name));
    // All of it on the first line.
    memory.Write(code + 136, Bytes("\x87\x00"));
    return code;
  }
  void WriteFrame(Address frame, Address code, Address previous, std::int32_t slots) {
    memory.Write(frame + 32, code);
    memory.Write(frame + 48, previous);
    memory.Write(frame + 56, code + 184);
    memory.Write(frame + 64, slots);
  }
  // A suspended coroutine without locals that awaits something.
  Address Coroutine(std::string_view name, Address awaited) {
    if (coroutine_ == 0) coroutine_ = NewType("coroutine", 0);
    const Address coroutine = New(256, coroutine_);
    const Address code = Code(name, 0, 1);
    memory.Write<std::uint8_t>(code + 187, 3);  // RESUME 3 comes next
    memory.Write<std::int8_t>(coroutine + 75, -1);
    WriteFrame(coroutine + 80, code, 0, 1);
    SetAwaited(coroutine, awaited);
    return coroutine;
  }
  void SetAwaited(Address coroutine, Address awaited) {
    memory.Write(coroutine + 80 + 72, awaited);
  }

  SparseMemory memory;
  Heap heap;

 private:
  void InitType(Address type, std::string_view name, std::uint64_t flags) {
    memory.Write(type + 24, CString(name));
    memory.Write<std::uint64_t>(type + 32, 64);
    memory.Write(type + 168, flags);
  }
  void WriteWords(Address address, const std::vector<Address>& words) {
    for (std::size_t i = 0; i < words.size(); ++i) memory.Write(address + i * 8, words[i]);
  }

  Address next_ = 0x10000;
  Address type_ = 0, str_ = 0, dict_ = 0, list_ = 0, tuple_ = 0, set_ = 0, deque_ = 0, bytes_ = 0;
  Address code_ = 0, coroutine_ = 0;
};

}  // namespace ct::cpython
