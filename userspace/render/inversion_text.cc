#include "render/inversion_text.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "detect/detect.h"
#include "model/names.h"
#include "render/full_text.h"
#include "render/labels.h"
#include "render/table.h"
#include "render/words.h"

namespace ct {
namespace {

// Steps; the rest is counted. A ring of forty is told whole.
constexpr std::size_t kSteps = 64;
constexpr std::size_t kFullSteps = 1000;
constexpr std::size_t kMaxLine = 400;  // bytes of a proof or advice line
constexpr std::size_t kMaxName = 64;
constexpr std::size_t kTextWidth = 100;

class Writer {
 public:
  Writer(TextContext& context, const Finding& finding) : context_(context), finding_(finding) {
    const auto& orders = context.observation.hold_activity.orders;
    for (const OrderStep& step : finding.orders) {
      if (step.order < 0 || static_cast<std::size_t>(step.order) >= orders.size()) continue;
      const LockOrder& order = orders[static_cast<std::size_t>(step.order)];
      const auto sighting = static_cast<std::size_t>(step.sighting);
      if (step.sighting < 0 || sighting >= order.sightings.size()) continue;
      steps_.push_back({&order, &order.sightings[sighting]});
    }
  }

  std::string Write() {
    std::string text = Headline() + ProcessLine() + '\n' + Rows();
    if (context_.options.full) text += Stacks();
    return text + Legend() + Closing();
  }

 private:
  struct Step {
    const LockOrder* order;
    const LockOrderSighting* sighting;
  };

  [[nodiscard]] std::size_t Shown() const {
    return std::min(steps_.size(), context_.options.full ? kFullSteps : kSteps);
  }

  std::string Headline() const {
    return fmt::format("{}  {}, {}: can deadlock, has not   {}\n",
                       context_.Paint(ToString(finding_.kind), kYellow),
                       Plural(finding_.resources.size(), "lock"),
                       Plural(finding_.orders.size(), "thread"), ToString(finding_.evidence));
  }

  std::string ProcessLine() const {
    if (steps_.empty()) return {};
    const auto& processes = context_.observation.processes;
    const auto index = static_cast<std::size_t>(steps_.front().order->process);
    if (steps_.front().order->process < 0 || index >= processes.size()) return {};
    return fmt::format("  {}\n", DescribeProcess(processes[index]));
  }

  // A thread that stands for another step already stands here for any other.
  static std::string NameOf(const LockOrderSighting& sighting, std::set<ThreadId>& told) {
    const std::string name =
        fmt::format("{} ({})", CleanText(sighting.thread_name, kMaxName), sighting.thread.tid);
    return told.insert(sighting.thread).second ? name : "another than " + name;
  }

  static const char* Shared(AccessMode mode) {
    return mode == AccessMode::kShared ? " (shared)" : "";
  }

  std::string Rows() {
    Table table(2);
    std::set<ThreadId> told;
    for (std::size_t i = 0; i < Shown(); ++i) {
      const auto& [order, sighting] = steps_[i];
      const Place held = context_.frames.Innermost(sighting->held_at);
      const Place wanted = context_.frames.Innermost(sighting->wanted_at);
      const auto in = [](const Place& place, const char* how) {
        return place.function.empty() ? "" : how;
      };
      table.Add({NameOf(*sighting, told),
                 fmt::format("has {}{}{}", labels_.Of(order->held), Shared(sighting->held_mode),
                             in(held, ", taken in")),
                 held.function, held.location});
      table.Add({"",
                 fmt::format("asks for {}{}{}", labels_.Of(order->wanted),
                             Shared(sighting->wanted_mode), in(wanted, " in")),
                 wanted.function, wanted.location});
    }
    std::string text = table.Print();
    if (steps_.size() > Shown()) {
      text += fmt::format("  and {}\n", Plural(steps_.size() - Shown(), "more step"));
    }
    return text;
  }

  std::string StackLines(const std::string& title, StackIndex index) const {
    const Stack* stack = StackAt(context_, index);
    if (stack == nullptr) return {};
    std::string text = fmt::format("   {}\n", title);
    for (const std::string& line : FrameLines(context_, *stack))
      text += fmt::format("    {}\n", line);
    return text;
  }

  std::string Stacks() {
    std::string text;
    std::set<ThreadId> told;
    for (std::size_t i = 0; i < Shown(); ++i) {
      const auto& [order, sighting] = steps_[i];
      const std::string name = NameOf(*sighting, told);
      text += StackLines(fmt::format("{} took {} in", name, labels_.Of(order->held)),
                         sighting->held_at);
      text += StackLines(fmt::format("{} asked for {} in", name, labels_.Of(order->wanted)),
                         sighting->wanted_at);
    }
    return text.empty() ? text : '\n' + text;
  }

  std::string Legend() {
    std::string text;
    std::string line;
    for (const ResourceIndex resource : labels_.in_order()) {
      const std::string entry = labels_.Of(resource) + " " + context_.What(resource);
      if (!line.empty() && Width(line) + Width(entry) + 5 > kTextWidth) {
        text += "  " + std::exchange(line, "") + '\n';
      }
      line += (line.empty() ? "" : "   ") + entry;
    }
    if (!line.empty()) text += "  " + line + '\n';
    return text.empty() ? text : '\n' + text;
  }

  // The steps are in the rows already.
  std::string Closing() const {
    std::string text;
    for (std::size_t i = StepsInProof(finding_); i < finding_.proof.size(); ++i) {
      text += (text.empty() ? "  proof: " : "         ") + CleanText(finding_.proof[i], kMaxLine) +
              '\n';
    }
    const std::string advice = CleanText(finding_.advice, kMaxLine);
    return advice.empty() ? text : text + fmt::format("  {}.\n", advice);
  }

  TextContext& context_;
  const Finding& finding_;
  std::vector<Step> steps_;
  Labels labels_;
};

}  // namespace

std::string InversionText(TextContext& context, const Finding& finding) {
  return Writer(context, finding).Write();
}

}  // namespace ct
