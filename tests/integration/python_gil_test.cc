// Fights for the GIL of real interpreters, as `contention` tells them.
#include <regex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/expect.h"
#include "tests/integration/harness.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kProgram = "gil_users.py";

// "gil_users.py:NN" as a pattern.
std::string Line(const std::string& mark) {
  const std::string line = LineOf("python/" + std::string(kProgram), mark);
  return std::regex_replace(line.substr(line.rfind('/') + 1), std::regex("\\."), "\\.");
}

struct Fought {
  int status = 0;
  std::string text;
};

Fought Watch(const Target& target, Strings more = {}) {
  Strings command = {TracerPath(), "contention",     "-p", std::to_string(target.pid()), "-d",
                     "4s",         "--max-overhead", "100"};
  command.insert(command.end(), more.begin(), more.end());
  Child tracer(command);
  Fought fought;
  fought.status = ExitStatusOf(tracer.Wait(std::chrono::seconds(60)));
  fought.text = tracer.output();
  return fought;
}

Target Program(const std::string& python, const std::string& mode) {
  Strings command = PythonProgram(python, kProgram);
  command.push_back(mode);
  return Target(command);
}

// The part of the answer between two words.
std::string Between(const std::string& text, const std::string& from, const std::string& to) {
  const std::size_t begin = text.find(from);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find(to, begin) - begin);
}

TEST(GilContention, NamesWhoWaitsAndWhoHasIt) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target = Program(python, "fight");
    const Fought fought = Watch(target, {"--full"});
    SCOPED_TRACE(fought.text);
    EXPECT_EQ(fought.status, kFindings);
    std::smatch share;
    ASSERT_TRUE(
        std::regex_search(fought.text, share,
                          std::regex("GIL_CONTENTION  \\S+ \\(" + std::to_string(target.pid()) +
                                     "\\): somebody waited for the GIL ([0-9]+) % of 4\\.. s, "
                                     "([0-9.]+) threads on average   certain\n")));
    // Two of three always wait, but for the moments in which it changes hands.
    EXPECT_GE(std::stoi(share[1]), 70);
    EXPECT_GT(std::stod(share[2]), 0.8);
    EXPECT_LE(std::stod(share[2]), 2.2);
    const std::string waits = Between(fought.text, "  waits ", "  has it ");
    const std::string holds = Between(fought.text, "  has it ", "  time ");
    for (const char* name : {"crunch", "parse", "encode"}) {
      const std::string place = std::string(name) + "(\\.<genexpr>)?  " + Line(name) + "\n";
      EXPECT_THAT(waits, ContainsRegex(std::string(name) + " \\([0-9]+\\), [0-9]+ waits? of "
                                                           "[^\n]* on average, [^\n]* at most"));
      EXPECT_TRUE(std::regex_search(waits, std::regex("in " + place))) << place;
      EXPECT_TRUE(std::regex_search(
          holds, std::regex("[0-9]+ %  " + std::string(name) + " \\([0-9]+\\)  in " + place)))
          << place;
    }
    EXPECT_THAT(fought.text, ContainsRegex("GIL 0x[0-9a-f]+  "));
  }
}

TEST(GilContention, NamesWhoCollectsGarbage) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target = Program(python, "garbage");
    const Fought fought = Watch(target);
    SCOPED_TRACE(fought.text);
    EXPECT_THAT(
        Between(fought.text, "  has it ", "  time "),
        ContainsRegex("%  collect \\([0-9]+\\) collects garbage  in collect  " + Line("collect")));
    EXPECT_THAT(Between(fought.text, "  waits ", "  has it "), HasSubstr("parse ("));
    EXPECT_THAT(fought.text, HasSubstr("gc.freeze()"));
  }
}

TEST(GilContention, IsNotToldOfHealthyThreads) {
  for (const std::string& python : Interpreters()) {
    for (const char* mode : {"polite", "alone"}) {
      SCOPED_TRACE(python + " " + mode);
      const Fought fought = Watch(Program(python, mode));
      EXPECT_EQ(fought.status, kNothing);
      EXPECT_THAT(fought.text, HasSubstr("CONTENTION  "));
      EXPECT_THAT(fought.text, Not(HasSubstr("GIL_CONTENTION")));
    }
  }
}

TEST(GilContention, IsInTheFile) {
  const Target target = Program(CT_PYTHON, "fight");
  const TempDir folder;
  const std::string file = folder.File("gil.pb");
  const Fought fought = Watch(target, {"-o", file});
  const Outcome show = RunTracer({"show", file});
  EXPECT_EQ(show.status, kFindings) << show.error;
  const std::string told = Between(fought.text, "GIL_CONTENTION", "Only one thread");
  ASSERT_NE(told, "");
  EXPECT_THAT(show.output, HasSubstr(told));
  EXPECT_THAT(show.output, Not(HasSubstr("__futex_abstimed_wait"))) << "the interpreter's code";
}

}  // namespace
}  // namespace ct::test
