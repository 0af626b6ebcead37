#include "tests/unit/graph/random_observation.h"

#include <random>

#include "tests/unit/graph/observation_builder.h"
#include "tests/unit/graph/oracle.h"

namespace ct::testing {

namespace {

class Dice {
 public:
  explicit Dice(std::uint32_t seed) : engine_(seed) {}
  int Upto(int limit) { return static_cast<int>(engine_() % static_cast<std::uint32_t>(limit)); }
  bool Percent(int chance) { return Upto(100) < chance; }

 private:
  std::mt19937 engine_;
};

void AddRandomResource(Dice& dice, ObservationBuilder& builder, int number) {
  const ResourceIndex index = builder.Lock("L" + std::to_string(number));
  Resource& resource = builder.observation.resources[static_cast<std::size_t>(index)];
  if (dice.Percent(30)) resource.rule = ReleaseRule::kAllHolders;
  if (dice.Percent(8)) resource.holders_known = false;
  if (dice.Percent(10)) resource.capacity = 1 + dice.Upto(3);
  if (dice.Percent(15)) {
    resource.kind = ResourceKind::kPool;
    resource.capacity = 1 + dice.Upto(3);
    resource.in_use = 1 + dice.Upto(3);
  }
  if (dice.Percent(4)) resource.abandoned = Abandoned::kOwnerExited;
}

void AddRandomWait(Dice& dice, ObservationBuilder& builder, ActorIndex actor, int resources) {
  Wait& wait = builder.Waits(actor, dice.Upto(resources));
  if (dice.Percent(12)) wait.evidence = Evidence::kProbable;
  if (dice.Percent(4)) wait.evidence = Evidence::kUnknown;
  if (dice.Percent(15)) wait.continuity = Continuity::kContinued;
  if (dice.Percent(8)) wait.continuity = Continuity::kDidNotRun;
  if (dice.Percent(5)) wait.continuity = Continuity::kSeenOnce;
  if (dice.Percent(12)) wait.timed = true;
  if (dice.Percent(5)) {
    builder.observation.actors[static_cast<std::size_t>(actor)].state = RunState::kRunnable;
  }
}

}  // namespace

Observation RandomObservation(std::uint32_t seed) {
  Dice dice(seed);
  ObservationBuilder builder;
  const int actors = 1 + dice.Upto(kMaxActors);
  const int resources = 1 + dice.Upto(actors + 2);
  for (int i = 0; i < actors; ++i) builder.Thread("t" + std::to_string(i));
  for (int i = 0; i < resources; ++i) AddRandomResource(dice, builder, i);
  for (ActorIndex i = 0; i < actors; ++i) {
    if (dice.Percent(92)) AddRandomWait(dice, builder, i, resources);
  }
  for (int i = 0; i < resources; ++i) {
    const int holders = dice.Percent(60) ? 1 : dice.Upto(4);
    for (int j = 0; j < holders; ++j) {
      Hold& hold = builder.Holds(dice.Upto(actors), i);
      if (dice.Percent(12)) hold.evidence = Evidence::kProbable;
      if (dice.Percent(3)) hold.evidence = Evidence::kUnknown;
    }
  }
  return builder.Build();
}

Observation MalformedObservation(std::uint32_t seed) {
  Observation observation = RandomObservation(seed);
  Dice dice(seed);
  const auto anywhere = [&dice] {
    const std::int32_t places[] = {kNoIndex, -1000, 0, 1, 3, 12, 1 << 30};
    return places[dice.Upto(7)];
  };
  for (Wait& wait : observation.waits) {
    if (dice.Percent(20)) wait.actor = anywhere();
    if (dice.Percent(20)) wait.resource = anywhere();
    if (dice.Percent(20)) wait.deadline = anywhere();
  }
  for (Hold& hold : observation.holds) {
    if (dice.Percent(20)) hold.actor = anywhere();
    if (dice.Percent(20)) hold.resource = anywhere();
  }
  for (Actor& actor : observation.actors) {
    if (dice.Percent(20)) actor.process = anywhere();
  }
  for (ct::Process& process : observation.processes) {
    if (dice.Percent(20)) process.space = static_cast<SpaceId>(anywhere());
  }
  HoldActivity& activity = observation.hold_activity;
  for (int i = dice.Upto(8); i > 0; --i) {
    LockOrder& order = activity.orders.emplace_back();
    order = {dice.Upto(3), dice.Upto(3), dice.Percent(90) ? 0 : anywhere(), {}, dice.Percent(30)};
    if (dice.Percent(20)) order.held = anywhere();
    if (dice.Percent(20)) order.wanted = anywhere();
    for (int j = dice.Upto(3); j > 0; --j) {
      LockOrderSighting& sighting = order.sightings.emplace_back();
      sighting.thread = {dice.Upto(3), 1};
      sighting.held_at = anywhere();
      sighting.wanted_at = anywhere();
      if (dice.Percent(20)) sighting.guards = {anywhere(), anywhere()};
      sighting.at = anywhere();
    }
  }
  for (int i = dice.Upto(3); i > 0; --i) {
    LongHold& hold = activity.long_holds.emplace_back();
    hold.resource = anywhere();
    hold.process = anywhere();
    hold.evidence = Evidence::kCertain;
    hold.acquired_at = anywhere();
  }
  observation.filter = dice.Percent(50) ? "--pid 1000" : "";
  for (Space& space : observation.spaces) space.all_observed = dice.Percent(50);
  return observation;
}

}  // namespace ct::testing
