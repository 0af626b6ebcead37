// The reader of CPython on memory that is not what it should be.
#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "reader/thread_switches.h"
#include "tests/integration/expect.h"
#include "tests/integration/python_programs.h"
#include "tests/unit/runtimes/mangled_memory.h"

namespace ct {
namespace {

using std::chrono::seconds;
using test::Child;
using test::Interpreters;
using test::PythonProgram;
using test::ReadAtRest;
using test::Strings;

class MangledTarget final : public ct::Target {
 public:
  MangledTarget(ct::Target& target, std::uint64_t seed, std::uint64_t one_in)
      : target_(target), memory_(target.memory(), seed, one_in) {}
  [[nodiscard]] pid_t pid() const override { return target_.pid(); }
  Memory& memory() override { return memory_; }
  Status Refresh() override { return target_.Refresh(); }
  [[nodiscard]] std::span<const Mapping> mappings() const override { return target_.mappings(); }
  [[nodiscard]] const Mapping* FindMapping(std::uint64_t address) const override {
    return target_.FindMapping(address);
  }
  [[nodiscard]] std::span<const Module> modules() const override { return target_.modules(); }
  UnwoundStack Unwind(const Registers& registers, const StackOptions& options) override {
    return target_.Unwind(registers, options);
  }
  std::optional<std::string> DataSymbol(std::uint64_t address) override {
    return target_.DataSymbol(address);
  }
  std::optional<std::uint64_t> ObjectNamed(const Mapping& mapping,
                                           std::string_view symbol) override {
    return target_.ObjectNamed(mapping, symbol);
  }
  std::optional<std::uint64_t> SectionNamed(const Mapping& mapping,
                                            std::string_view section) override {
    return target_.SectionNamed(mapping, section);
  }
  std::optional<ct::FunctionPlace> FunctionBeginningAt(std::uint64_t address) override {
    return target_.FunctionBeginningAt(address);
  }
  ct::NamedFunctions FunctionsNamed(std::span<const ct::FunctionQuery> queries) override {
    return target_.FunctionsNamed(queries);
  }
  std::optional<ct::FunctionCode> CodeAt(std::uint64_t address) override {
    return target_.CodeAt(address);
  }
  std::string DescribeAddress(std::uint64_t address) override {
    return target_.DescribeAddress(address);
  }
  std::string Language() override { return target_.Language(); }

 private:
  ct::Target& target_;
  MangledMemory memory_;
};

void ExpectItEndsSoon(const std::string& python, const std::string& file) {
  SCOPED_TRACE(file);
  Child program(PythonProgram(python, file));
  program.ReadUntil("READY", seconds(60));
  ReadAtRest(program.pid());
  PythonOptions options;
  options.futexes = FutexCallsOf(ReadThreadSwitches(program.pid()));
  auto target = ct::Target::Open(program.pid(), MakeFileCache());
  ASSERT_TRUE(target) << target.error().message;
  std::size_t found = 0;
  std::size_t skipped = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    constexpr std::uint64_t kOneIn[] = {20'000, 2'000, 500, 100};
    MangledTarget mangled(**target, seed, kOneIn[seed % 4]);
    const auto start = std::chrono::steady_clock::now();
    const auto process = ReadPython(mangled, options);
    EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(5)) << "seed " << seed;
    if (!process || !*process) continue;
    found += (*process)->tasks.size() + (*process)->threads.size();
    skipped += (*process)->skips.size();
  }
  EXPECT_GT(found, 200u);  // the mangling does leave something to read
  EXPECT_GT(skipped, 25u);
}

TEST(PythonReader, EndsSoonOnMemoryThatIsMangled) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    ExpectItEndsSoon(python, "waits.py");
    ExpectItEndsSoon(python, "thread_waits.py");
  }
}

// A live one, which hides rings, sizes without an end and pointers to nowhere wherever they can be:
// no crash, no hang, no gigabytes; and what it has is read, with what could not be.
TEST(PythonReader, IsNotLedAstrayByAProcessThatImitatesPython) {
  const test::Target target("false_python");
  const std::string pid = std::to_string(target.pid());
  for (const Strings& command : {Strings{"tasks", "-p", pid}, Strings{"dump", "-p", pid}}) {
    SCOPED_TRACE(command.front());
    const test::Outcome answer = test::RunTracer(command);
    EXPECT_EQ(answer.status, test::kNotSeen) << answer.output << answer.error;
    // Its 4,096 threads and 300 tasks have 512 frames each, and it is looked at more than twice.
    EXPECT_LT(answer.seconds, 2 * test::kPatienceSeconds);
    EXPECT_THAT(answer.output, testing::HasSubstr("300 tasks"));
    EXPECT_THAT(answer.output, testing::HasSubstr("NOT SEEN"));
  }
  rusage used{};
  getrusage(RUSAGE_CHILDREN, &used);
  EXPECT_LT(used.ru_maxrss, 512 << 10) << "KiB, of the tracer and its reader";
}

}  // namespace
}  // namespace ct
