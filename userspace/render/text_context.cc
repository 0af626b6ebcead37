#include "render/text_context.h"

#include "base/text.h"

namespace ct {
namespace {

constexpr std::size_t kMaxWho = 64;  // bytes of an actor's name in one line
constexpr std::size_t kMaxWhat = 160;

template <class Rows>
auto* RowAt(Rows& rows, std::int32_t index) {
  const bool inside = index >= 0 && static_cast<std::size_t>(index) < rows.size();
  return inside ? &rows[static_cast<std::size_t>(index)] : nullptr;
}

}  // namespace

bool TextContext::HasActor(ActorIndex index) const {
  return RowAt(observation.actors, index) != nullptr;
}
bool TextContext::HasResource(ResourceIndex index) const {
  return RowAt(observation.resources, index) != nullptr;
}
const Wait* TextContext::WaitAt(WaitIndex index) const { return RowAt(observation.waits, index); }
const Hold* TextContext::HoldAt(HoldIndex index) const { return RowAt(observation.holds, index); }

const Wait* TextContext::WaitOf(ActorIndex actor) const {
  return HasActor(actor) ? WaitAt(graph.WaitOf(actor)) : nullptr;
}

const Process* TextContext::ProcessOf(ActorIndex actor) const {
  return HasActor(actor) ? RowAt(observation.processes, graph.actor(actor).process) : nullptr;
}

std::string TextContext::Who(ActorIndex actor) const {
  return HasActor(actor) ? CleanText(describe_.Actor(actor), kMaxWho) : "?";
}

std::string TextContext::What(ResourceIndex resource) const {
  return HasResource(resource) ? CleanText(describe_.Resource(resource), kMaxWhat) : "?";
}

std::string TextContext::Doing(ActorIndex actor) const {
  return HasActor(actor) ? CleanText(describe_.Doing(actor), kMaxWhat) : "is not known";
}

std::string TextContext::Age(TimeNs since) const {
  DurationNs age = 0;
  const bool overflow = __builtin_sub_overflow(observation.end, since, &age);
  return FormatDuration(overflow || age < 0 ? 0 : age);
}

std::string TextContext::Paint(std::string_view text, const char* sgr) const {
  if (!options.color) return std::string(text);
  return std::string(sgr).append(text).append("\x1b[0m");
}

}  // namespace ct
