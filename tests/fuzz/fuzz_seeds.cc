// Writes the stories of the tests as a first corpus: fuzz_seeds DIRECTORY.
#include <filesystem>
#include <fstream>
#include <string>

#include "snapshot/message.h"
#include "snapshot/snapshot.h"
#include "tests/unit/snapshot/story.h"

int main(int argc, char** argv) {
  using namespace ct::testing;  // NOLINT(google-build-using-namespace): a list of its names
  if (argc != 2) return 2;
  const std::filesystem::path directory = argv[1];
  std::filesystem::create_directories(directory);
  int number = 0;
  for (auto* tell :
       {TwoThreadDeadlock, SelfDeadlock, FiveCycle, CrossProcessDeadlock, TimedRing, ClosedWorld,
        AbandonedLock, LongWaitOnSocket, LongWaitInKernel, HotLock, NothingFoundButLosses,
        WholeHost, Inversion, LongHolds, PoolOfThree, Everything}) {
    const Told told = tell();
    const std::string name = "seed-" + std::to_string(number++);
    std::ofstream(directory / name) << ct::Encode(told.observation, told.findings);
    std::ofstream(directory / (name + "-open"))
        << ct::ToMessage(told.observation, told.findings).SerializeAsString();
  }
  return 0;
}
