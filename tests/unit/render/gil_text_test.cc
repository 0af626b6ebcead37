#include "render/gil_text.h"

#include <gtest/gtest.h>

#include "detect/detect.h"

namespace ct {
namespace {

StackIndex AddStack(Observation& observation, const std::string& function, std::uint32_t line) {
  Frame frame;
  frame.origin = FrameOrigin::kPython;
  frame.function = function;
  frame.file = "/srv/shop/images.py";
  frame.line = line;
  observation.stacks.push_back({{frame}, StackEnd::kComplete});
  return static_cast<StackIndex>(observation.stacks.size() - 1);
}

Observation Fight() {
  Observation observation;
  observation.end = 3 * kSecond;
  observation.realtime_offset = 1'700'000'000 * kSecond;  // 22:13:20 UTC
  Process process;
  process.id.tid = 4242;
  process.name = "uvicorn";
  process.selected = true;
  observation.processes.push_back(process);
  Resource resource;
  resource.kind = ResourceKind::kGil;
  observation.resources.push_back(resource);
  observation.contention.since = kSecond;
  GilContention gil;
  gil.resource = 0;
  gil.process = 0;
  gil.waiters = {{{12, 1},
                  "fetch",
                  41,
                  1640 * kMillisecond,
                  380 * kMillisecond,
                  AddStack(observation, "get.<locals>.once", 31)}};
  gil.holders = {{{11, 1}, "crunch", AddStack(observation, "resize", 88), false, 30},
                 {{11, 1}, "crunch", AddStack(observation, "load", 12), true, 10}};
  gil.slices = {{kSecond, kSecond, 900 * kMillisecond, 20, 20, 0, 15},
                {2 * kSecond, kSecond, 740 * kMillisecond, 20, 16, 1, 8}};
  observation.contention.gils.push_back(gil);
  return observation;
}

TEST(GilText, SaysWhoWaitsWhoHasItAndWhen) {
  const Observation observation = Fight();
  const std::vector<Finding> findings = Detect(observation);
  EXPECT_EQ(RenderGils(observation, findings, {}), R"(
GIL_CONTENTION  uvicorn (4242): somebody waited for the GIL 90 % of 2.0 s, 0.8 threads on average   certain
  waits       1.6 s  fetch (12), 41 waits of 40 ms on average, 380 ms at most  in get.once  images.py:31
  has it       75 %  crunch (11)  in resize  images.py:88
               25 %  crunch (11) collects garbage  in load  images.py:12
  time          waited  threads  who has it mostly
  22:13:21.0Z    100 %      0.9  75 %  crunch (11)  in resize  images.py:88
  22:13:22.0Z     80 %      0.7  50 %  crunch (11) collects garbage  in load  images.py:12
  Only one thread runs Python at a time: move what crunch does to another process, or into C code that releases the GIL.
)");
}

TEST(GilText, NamesOfATargetCannotWriteToTheTerminal) {
  Observation observation = Fight();
  observation.contention.gils[0].waiters[0].name = "\x1b[2J\nDEADLOCK";
  observation.contention.gils[0].holders[0].name = "\x1b[2J";
  const std::string text = RenderGils(observation, Detect(observation), {});
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find("\nDEADLOCK"), std::string::npos);
}

// A file may say anything.
TEST(GilText, ToleratesRowsThatReferToNothing) {
  Observation observation = Fight();
  GilContention& gil = observation.contention.gils[0];
  gil.process = 7;
  gil.waiters[0].stack = 99;
  gil.holders[0].stack = -7;
  gil.slices[0].holder = 5;
  gil.slices[1].looks = 0;
  Finding finding;
  finding.kind = FindingKind::kGilContention;
  finding.resources = {0};
  EXPECT_NE(RenderGils(observation, std::vector{finding}, {}), "");
}

}  // namespace
}  // namespace ct
