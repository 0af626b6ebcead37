// Where functions of this very process would be probed, and what a few bytes of it are.
#include "reader/function_reading.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/unique_fd.h"

// With two ways out, and nothing that a compiler would make a jump of.
extern "C" __attribute__((noinline)) int TwoWaysOut(const int* value) {
  if (*value == 0) return -1;
  asm volatile("" ::: "memory");
  return *value + 1;
}

namespace ct {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class FunctionReading : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Target::Open(getpid(), MakeFileCache());
    ASSERT_TRUE(opened) << opened.error().message;
    target_ = std::move(*opened);
  }
  std::unique_ptr<Target> target_;
};

TEST_F(FunctionReading, PlacesAMutexsLockWhereTheKernelEmulates) {
  const FunctionsRead read =
      FindFunctions(*target_, {{"pthread_mutex_lock", {"libc.so.6"}, {0}, false}});
  EXPECT_THAT(read.losses, IsEmpty());
  ASSERT_THAT(read.functions, SizeIs(1));
  const ProbeSite& site = read.functions[0].site;
  EXPECT_EQ(read.functions[0].why_not, "");
  EXPECT_EQ(site.function, "pthread_mutex_lock");
  EXPECT_THAT(site.module, HasSubstr("libc.so.6"));
  EXPECT_TRUE(site.emulated) << site.why;
  EXPECT_NE(site.why, "");
  EXPECT_THAT(site.returns, IsEmpty());
  // Of libc itself: a sanitizer has one of its own before it.
  void* const libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(libc, nullptr);
  const auto here = reinterpret_cast<std::uint64_t>(dlsym(libc, "pthread_mutex_lock"));
  dlclose(libc);
  EXPECT_EQ(site.entry_address - here, site.entry_offset - site.function_offset);
  EXPECT_LT(site.entry_address - here, 256U);
}

TEST_F(FunctionReading, FindsReturnInstructionsInTheFile) {
  const int value = 1;
  EXPECT_EQ(TwoWaysOut(&value), 2);
  const FunctionsRead read = FindFunctions(*target_, {{"TwoWaysOut", {"exe"}, {0}, true}});
  ASSERT_THAT(read.functions, SizeIs(1));
  EXPECT_EQ(read.functions[0].why_not, "");
  const ProbeSite& site = read.functions[0].site;
  ASSERT_THAT(site.returns, Not(IsEmpty()));
  const UniqueFd file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  for (const std::uint64_t offset : site.returns) {
    unsigned char byte = 0;
    ASSERT_EQ(pread(file.get(), &byte, 1, static_cast<off_t>(offset)), 1);
    EXPECT_EQ(byte, 0xc3);
    EXPECT_GT(offset, site.function_offset);
  }
}

TEST_F(FunctionReading, AnswersBesideWhatIsNotThere) {
  const FunctionsRead read =
      FindFunctions(*target_, {{"no_such_function", {"exe"}, {0}, false},
                               {"strlen", {"libc.so.6"}, {0}, false},
                               {"pthread_mutex_unlock", {"libc.so.6"}, {0}, false}});
  ASSERT_THAT(read.functions, SizeIs(2));
  EXPECT_EQ(read.functions[0].query, 1U);
  EXPECT_THAT(read.functions[0].why_not, HasSubstr("IFUNC"));
  EXPECT_EQ(read.functions[1].query, 2U);
  EXPECT_EQ(read.functions[1].why_not, "");
}

TEST_F(FunctionReading, ReadsBytesThatAreThere) {
  const std::string text = "of this process, as they are now";
  const auto address = reinterpret_cast<std::uint64_t>(text.data());
  const auto read =
      ReadMemory(target_->memory(),
                 {{address, 7}, {0, 4}, {address, MemoryToRead::kMaxBytes + 1}, {address + 8, 7}});
  ASSERT_THAT(read, SizeIs(2));
  EXPECT_EQ(read[0].address, address);
  EXPECT_EQ(read[0].bytes, "of this");
  EXPECT_EQ(read[1].bytes, "process");
}

}  // namespace
}  // namespace ct
