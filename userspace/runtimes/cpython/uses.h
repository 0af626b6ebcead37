// What a stack is in the middle of using and others may use meanwhile: objects of classes that
// allow only one at a time, and attributes of a threading.local over an await.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "runtimes/cpython/names.h"

namespace ct::cpython {

class UseReader {
 public:
  UseReader(Heap& heap, FrameReader& frames, CodeCache& codes,
            std::vector<std::string> exclusive_classes)
      : heap_(heap),
        frames_(frames),
        names_(heap, frames, codes),
        exclusive_(std::move(exclusive_classes)) {}

  // Of a stack, innermost frame first; `read` are the same frames.
  std::vector<PythonUse> OfThread(const std::vector<FrameView>& frames,
                                  const std::vector<PythonFrame>& read);
  // Of a suspended task.
  std::vector<PythonUse> OfTask(const std::vector<FrameView>& frames);

 private:
  bool IsExclusive(const Type& type);
  void AddMethods(const std::vector<FrameView>& frames, std::vector<PythonUse>& uses);
  // A call of a method in C has no frame of its own.
  void AddCall(const FrameView& caller, std::size_t frame, std::vector<PythonUse>& uses);
  // Whose method that uses in the end: of a cursor of sqlite3, its connection.
  Address Used(Address object);
  void Add(const Type& type, Address object, std::size_t frame, std::vector<PythonUse>& uses);
  void AddLocals(const FrameView& view, std::size_t frame, std::vector<PythonUse>& uses);

  Heap& heap_;
  FrameReader& frames_;
  NameReader names_;
  std::vector<std::string> exclusive_;
  std::unordered_map<Address, bool> is_exclusive_;  // by type
  std::uint64_t uses_left_ = 1 << 16;               // of one look at a process
};

}  // namespace ct::cpython
