// Which processes of a look are read as Python, and what becomes of those that are not.
#include "observe/python_reading.h"

#include <map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace ct {
namespace {

// Answers in turn, by process; afterwards with nothing.
class ScriptedReader final : public Reader {
 public:
  ProcessRead Read(const ProcessToRead& request) override {
    EXPECT_TRUE(request.want_python);
    EXPECT_TRUE(request.threads.empty());
    auto& left = answers[request.pid];
    if (left.empty()) return {};
    ProcessRead answer = std::move(left.front());
    left.erase(left.begin());
    return answer;
  }
  [[nodiscard]] ReaderCost cost() const override { return {}; }

  std::map<pid_t, std::vector<ProcessRead>> answers;
};

ProcessRead Python(std::uint32_t version) {
  ProcessRead answer;
  answer.python.emplace().version = version;
  return answer;
}

RawLook LookAt(ScriptedReader& reader) {
  RawLook look;
  for (const auto& [pid, answers] : reader.answers) look.selected.insert(pid);
  BeginPython(reader, {}, look);
  EndPython(reader, {}, look);
  return look;
}

TEST(PythonReading, KeepsBothLooks) {
  ScriptedReader reader;
  reader.answers[7] = {Python(1), Python(2)};
  reader.answers[8] = {};  // not Python
  const RawLook look = LookAt(reader);
  ASSERT_EQ(look.python.size(), 1U);
  const PythonLook& python = look.python.at(7);
  EXPECT_EQ(python.first.version, 1U);
  EXPECT_EQ(python.second.version, 2U);
  EXPECT_LE(python.begin, python.end);
  EXPECT_TRUE(look.losses.empty());
}

TEST(PythonReading, ForgetsWhoHasEndedMeanwhile) {
  ScriptedReader reader;
  reader.answers[7] = {Python(1)};
  EXPECT_TRUE(LookAt(reader).python.empty());
}

TEST(PythonReading, SaysWhereTasksAreOfAPythonThatIsNotKnown) {
  ScriptedReader reader;
  ProcessRead unknown;
  unknown.python_error = "CPython 3.10.4: 3.11 to 3.15 are known";
  reader.answers[7] = {unknown};
  const RawLook look = LookAt(reader);
  ASSERT_EQ(look.losses.size(), 1U);
  EXPECT_TRUE(look.losses[0].relevant);
  EXPECT_EQ(look.losses[0].detail, "process 7: CPython 3.10.4: 3.11 to 3.15 are known");
}

TEST(PythonReading, LossesOfEitherLookAreTold) {
  ScriptedReader reader;
  ProcessRead blocked;
  blocked.losses.push_back({"process not readable", 1, true, "process"});
  reader.answers[7] = {Python(1), blocked};
  reader.answers[8] = {blocked};
  const RawLook look = LookAt(reader);
  EXPECT_TRUE(look.python.empty());
  ASSERT_EQ(look.losses.size(), 2U);
  EXPECT_EQ(look.losses[0].reason, "process not readable");
}

}  // namespace
}  // namespace ct
