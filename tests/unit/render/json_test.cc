#include "render/json.h"

#include <algorithm>

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "snapshot/message.h"
#include "tests/unit/snapshot/story.h"

namespace ct {
namespace {

std::string Json(const testing::Told& told, const RenderOptions& options = {}) {
  return RenderJson(told.observation, told.findings, options).value();
}

TEST(Json, ReadsBackAsTheSameMessage) {
  const testing::Told told = testing::Everything();
  pb::Snapshot read;
  const auto status = google::protobuf::util::JsonStringToMessage(Json(told), &read);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(read.DebugString(), ToMessage(told.observation, told.findings).DebugString());
}

TEST(Json, IsOneLineUnlessPretty) {
  const testing::Told told = testing::HostileNames();
  const std::string line = Json(told);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_EQ(line.back(), '\n');
  RenderOptions pretty;
  pretty.pretty = true;
  const std::string lines = Json(told, pretty);
  EXPECT_GT(std::count(lines.begin(), lines.end(), '\n'), 100);
  EXPECT_EQ(lines.substr(lines.size() - 2), "}\n");
}

TEST(Json, SaysThingsByName) {
  Observation observation;
  observation.end = 5;
  Finding finding;
  finding.kind = FindingKind::kDeadlock;
  finding.members = {0, 1};
  EXPECT_EQ(Json({observation, {finding}}),
            R"({"magic":"724323356493698115","formatMajor":1,"formatMinor":3,"observations":)"
            R"([{"host":{},"tool":{"name":"concurrency-tracer"},"endNs":"5","cost":{}}],)"
            R"("findings":[{"kind":"FINDING_KIND_DEADLOCK","ending":"ENDING_MAY_END",)"
            R"("members":[0,1]}],"strings":[""]})"
            "\n");
}

TEST(Renderers, AreFoundByName) {
  EXPECT_EQ(FindRenderer("text")->name, "text");
  EXPECT_EQ(FindRenderer("json")->name, "json");
  EXPECT_EQ(FindRenderer("yaml"), nullptr);
  const testing::Told told = testing::NothingFound();
  for (const Renderer& renderer : Renderers()) {
    EXPECT_TRUE(renderer.render(told.observation, told.findings, {})) << renderer.name;
  }
}

}  // namespace
}  // namespace ct
