// A task in words: what it waits for and what it holds.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "render/labels.h"
#include "render/text_context.h"

namespace ct {

class TaskWords {
 public:
  explicit TaskWords(TextContext& context);

  // "waits for asyncio.Lock L1", "asyncio.sleep", "waits for asyncio.gather of 3 tasks", "runs".
  // Without what differs between tasks that do the same: their names and deadlines.
  std::string Doing(ActorIndex task);
  // "ends in 53.0 s" if a timeout ends its wait, "moving" if it did not do the same in both looks.
  std::string Aside(ActorIndex task) const;

  // How long the one that has waited longest has, as far as that is known: "for 12 s", ">= 5.0 s",
  // "<= 53 s", "oldest <= 53 s". Empty if it is not.
  std::string Age(const std::vector<ActorIndex>& tasks) const;

  struct Held {
    std::string what;  // "holds asyncio.Lock L1"
    Place place;       // the frame that is in the with-block
    bool operator<(const Held& other) const {
      return what != other.what ? what < other.what : place < other.place;
    }
  };
  std::vector<Held> Holds(ActorIndex task);
  // Where it was made: see CreatedText.
  const std::string& Created(ActorIndex task);

  // Tasks whose end this one waits for.
  [[nodiscard]] std::vector<ActorIndex> Awaited(ActorIndex task) const;
  // What L1, L2, ... are, one line each; as many as were used.
  [[nodiscard]] std::string Legend() const;

 private:
  std::string Named(ResourceIndex resource);

  TextContext& context_;
  Labels labels_;
  std::map<StackIndex, std::string> created_;
};

}  // namespace ct
