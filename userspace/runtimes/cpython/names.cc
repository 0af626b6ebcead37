#include "runtimes/cpython/names.h"

namespace ct::cpython {
namespace {

constexpr std::uint64_t kModuleDict = 16;  // PyModuleObject.md_dict, 3.11 to 3.15

}  // namespace

std::string_view NameReader::LastName(const Code& code, const NameAccess& access) {
  const std::uint32_t index = access.attributes.back();
  return index < code.names.size() ? std::string_view(code.names[index]) : std::string_view();
}

Address NameReader::Follow(const Code& code, const NameAccess& access, Address object) {
  for (std::size_t i = 0; i + 1 < access.attributes.size() && object != 0; ++i) {
    const std::uint32_t name = access.attributes[i];
    if (name >= code.names.size()) return 0;
    const Type* type = heap_.TypeOf(object);
    const bool is_module = type != nullptr && type->name == "module";
    object = is_module ? heap_.DictGet(heap_.Word(object + kModuleDict), code.names[name])
                       : heap_.Attribute(object, code.names[name]);
  }
  return object;
}

Address NameReader::OwnerIn(const Code& code, Address globals, const NameAccess& access) {
  if (access.root >= code.names.size() || heap_.KindOf(globals) != Kind::kDict) return 0;
  return Follow(code, access, heap_.DictGet(globals, code.names[access.root]));
}

Address NameReader::OwnerOf(const FrameView& frame, const NameAccess& access) {
  if (access.root_is_global) {
    const Address globals = heap_.Word(frame.address + heap_.offsets().frame_globals);
    return OwnerIn(*frame.code, globals, access);
  }
  if (access.root >= frame.code->locals) return 0;
  return Follow(*frame.code, access, frames_.LocalAt(frame, access.root));
}

std::uint32_t NameReader::OffsetOf(const FrameView& frame) {
  if (frame.instruction < frame.code->bytecode) return 0;
  return static_cast<std::uint32_t>(frame.instruction - frame.code->bytecode);
}

}  // namespace ct::cpython
