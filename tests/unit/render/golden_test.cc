// The answers as they are read: tests/golden/NAME.txt, compared to the byte. After a wanted change
// run with CT_UPDATE_GOLDEN=1 and read the difference.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "detect/detect.h"
#include "render/text.h"
#include "tests/unit/snapshot/story.h"

namespace ct {
namespace {

struct Golden {
  const char* name;
  testing::Told (*tell)();
  RenderOptions options = {};
};

void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.name; }

class GoldenText : public ::testing::TestWithParam<Golden> {};

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_P(GoldenText, Reads) {
  const std::string path = std::string(CT_GOLDEN_DIR) + "/" + GetParam().name + ".txt";
  const testing::Told told = GetParam().tell();
  const std::string text = RenderText(told.observation, told.findings, GetParam().options);
  if (std::getenv("CT_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  EXPECT_EQ(text, Contents(path));
}

// With the findings of our own detectors.
template <testing::Told (*tell)()>
testing::Told Found() {
  testing::Told told = tell();
  told.findings = Detect(told.observation);
  return told;
}

const RenderOptions kFull{.full = true, .all = true, .color = false, .pretty = false, .notes = {}};
const RenderOptions kColor{
    .full = false, .all = false, .color = true, .pretty = false, .notes = {"the file is newer"}};

INSTANTIATE_TEST_SUITE_P(
    Stories, GoldenText,
    ::testing::Values(
        Golden{"two_thread_deadlock", testing::TwoThreadDeadlock},
        Golden{"two_thread_deadlock_color", testing::TwoThreadDeadlock, kColor},
        Golden{"self_deadlock", testing::SelfDeadlock}, Golden{"five_cycle", testing::FiveCycle},
        Golden{"cross_process_deadlock", testing::CrossProcessDeadlock},
        Golden{"timed_ring", testing::TimedRing},
        Golden{"timed_ring_full", testing::TimedRing, kFull},
        Golden{"closed_world", testing::ClosedWorld},
        Golden{"abandoned_lock", testing::AbandonedLock},
        Golden{"long_wait_on_socket", testing::LongWaitOnSocket},
        Golden{"long_wait_on_stopped", testing::LongWaitOnStopped},
        Golden{"long_wait_in_kernel", testing::LongWaitInKernel},
        Golden{"long_wait_in_kernel_full", testing::LongWaitInKernel, kFull},
        Golden{"hot_lock", testing::HotLock}, Golden{"nothing_found", testing::NothingFound},
        Golden{"nothing_found_full", testing::NothingFound, kFull},
        Golden{"nothing_found_but_losses", testing::NothingFoundButLosses},
        Golden{"whole_host", testing::WholeHost}, Golden{"hostile_names", testing::HostileNames},
        Golden{"deadlock_with_lines", testing::DeadlockWithLines},
        Golden{"inversion", Found<testing::Inversion>},
        Golden{"inversion_full", Found<testing::Inversion>, kFull},
        Golden{"inversion_of_forty", Found<testing::InversionOfForty>},
        Golden{"long_holds", Found<testing::LongHolds>},
        Golden{"long_holds_full", Found<testing::LongHolds>, kFull},
        Golden{"pool_of_three", Found<testing::PoolOfThree>},
        Golden{"busy_holds", Found<testing::BusyHolds>}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace ct
