#include <algorithm>

#include "base/text.h"
#include "reader/protocol.h"

namespace ct {

void ToWire(const FunctionToFind& function, wire::FunctionQuery& message) {
  message.set_name(function.name);
  for (const std::string& file : function.files) message.add_files(file);
  message.mutable_arguments()->Assign(function.arguments.begin(), function.arguments.end());
  message.set_want_returns(function.want_returns);
}

FunctionToFind FromWire(const wire::FunctionQuery& message) {
  return {message.name(),
          {message.files().begin(), message.files().end()},
          {message.arguments().begin(), message.arguments().end()},
          message.want_returns()};
}

void ToWire(const FunctionFound& function, wire::FunctionFound& message) {
  message.set_query(function.query);
  message.set_why_not(function.why_not);
  const ProbeSite& site = function.site;
  wire::ProbeSite& to = *message.mutable_site();
  to.set_function(site.function);
  to.set_module(site.module);
  to.set_map_begin(site.map_begin);
  to.set_map_end(site.map_end);
  to.set_inode(site.inode);
  to.set_function_offset(site.function_offset);
  to.set_entry_offset(site.entry_offset);
  to.set_entry_address(site.entry_address);
  to.set_emulated(site.emulated);
  to.set_pushed(site.pushed);
  to.set_why(site.why);
  to.mutable_returns()->Assign(site.returns.begin(), site.returns.end());
}

FunctionFound FromWire(const wire::FunctionFound& message) {
  FunctionFound function;
  function.query = message.query();
  function.why_not = CleanText(message.why_not());
  const wire::ProbeSite& from = message.site();
  ProbeSite& site = function.site;
  site.function = CleanText(from.function());
  site.module = CleanText(from.module());
  site.map_begin = from.map_begin();
  site.map_end = from.map_end();
  site.inode = from.inode();
  site.function_offset = from.function_offset();
  site.entry_offset = from.entry_offset();
  site.entry_address = from.entry_address();
  site.emulated = from.emulated();
  site.pushed = from.pushed();
  site.why = CleanText(from.why());
  const auto returns =
      std::min<std::size_t>(static_cast<std::size_t>(from.returns().size()), kMaxReturns);
  site.returns.assign(from.returns().begin(),
                      from.returns().begin() + static_cast<std::ptrdiff_t>(returns));
  return function;
}

void TakeFunctions(const wire::ReadResponse& part, std::size_t queries,
                   std::vector<FunctionFound>& into) {
  for (const wire::FunctionFound& from : part.functions()) {
    if (into.size() >= kMaxFunctions) return;
    if (from.query() < queries) into.push_back(FromWire(from));
  }
}

void ToWire(const ObjectPlace& place, wire::ObjectPlace& message) {
  message.set_address(place.address);
  message.set_symbol(place.symbol);
  message.set_where(place.where);
  message.set_device(place.device);
  message.set_inode(place.inode);
  message.set_offset(place.offset);
}

ObjectPlace FromWire(const wire::ObjectPlace& message) {
  ObjectPlace place;
  place.address = message.address();
  place.symbol = CleanText(message.symbol());
  place.where = CleanText(message.where());
  place.device = message.device();
  place.inode = message.inode();
  place.offset = message.offset();
  return place;
}

void TakeObjects(const wire::ReadResponse& part, const std::vector<std::uint64_t>& asked,
                 std::vector<ObjectPlace>& into) {
  for (const wire::ObjectPlace& place : part.objects()) {
    const bool wanted = std::find(asked.begin(), asked.end(), place.address()) != asked.end();
    if (wanted && into.size() < asked.size()) into.push_back(FromWire(place));
  }
}

void TakeMemory(const wire::ReadResponse& part, const std::vector<MemoryToRead>& asked,
                std::vector<MemoryCopy>& into) {
  // They come in the order in which they were asked for, some left out.
  auto next = asked.begin();
  for (const wire::MemoryCopy& from : part.memory()) {
    next = std::find_if(next, asked.end(), [&](const MemoryToRead& memory) {
      return memory.address == from.address() && memory.bytes == from.content().size();
    });
    if (next == asked.end()) return;
    into.push_back({from.address(), from.content()});
    ++next;
  }
}

}  // namespace ct
