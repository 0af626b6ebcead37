#include "runtimes/cpython/names.h"

namespace ct::cpython {
namespace {

constexpr std::uint64_t kModuleDict = 16;  // PyModuleObject.md_dict, 3.11 to 3.15

}  // namespace

std::string_view NameReader::LastName(const FrameView& frame, const NameAccess& access) {
  const auto& names = frame.code->names;
  const std::uint32_t index = access.attributes.back();
  return index < names.size() ? std::string_view(names[index]) : std::string_view();
}

Address NameReader::OwnerOf(const FrameView& frame, const NameAccess& access) {
  const auto& names = frame.code->names;
  Address object = 0;
  if (access.root_is_global) {
    const Address globals = heap_.Word(frame.address + heap_.offsets().frame_globals);
    if (access.root < names.size() && heap_.KindOf(globals) == Kind::kDict) {
      object = heap_.DictGet(globals, names[access.root]);
    }
  } else if (access.root < frame.code->locals) {
    object = frames_.LocalAt(frame, access.root);
  }
  for (std::size_t i = 0; i + 1 < access.attributes.size() && object != 0; ++i) {
    const std::uint32_t name = access.attributes[i];
    if (name >= names.size()) return 0;
    const Type* type = heap_.TypeOf(object);
    const bool is_module = type != nullptr && type->name == "module";
    object = is_module ? heap_.DictGet(heap_.Word(object + kModuleDict), names[name])
                       : heap_.Attribute(object, names[name]);
  }
  return object;
}

std::uint32_t NameReader::OffsetOf(const FrameView& frame) {
  if (frame.instruction < frame.code->bytecode) return 0;
  return static_cast<std::uint32_t>(frame.instruction - frame.code->bytecode);
}

}  // namespace ct::cpython
