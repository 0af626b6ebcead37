// Functions found by name: of this process, which has a library of known contents.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "target/target.h"

namespace ct {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

const std::string kVictim = "libtarget_names.so";

class NamedFunctionsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { library = dlopen(CT_NAMES_VICTIM, RTLD_NOW); }
  void SetUp() override {
    ASSERT_NE(library, nullptr) << dlerror();
    auto opened = Target::Open(getpid(), MakeFileCache({.debug_root = "/nonexistent"}));
    ASSERT_TRUE(opened) << opened.error().message;
    target_ = std::move(*opened);
  }
  std::vector<NamedFunction> Find(const std::string& name, const std::string& file = kVictim) {
    const std::vector<FunctionQuery> queries = {{name, {file}}};
    return target_->FunctionsNamed(queries).functions;
  }
  std::vector<std::string> Names(const std::string& name, const std::string& file = kVictim) {
    std::vector<std::string> names;
    for (const NamedFunction& function : Find(name, file)) names.push_back(function.name);
    return names;
  }

  static void* library;
  std::unique_ptr<Target> target_;
};
void* NamedFunctionsTest::library = nullptr;

TEST_F(NamedFunctionsTest, AreWhereTheyAre) {
  const auto found = Find("victim_lock");
  ASSERT_THAT(found, SizeIs(1));
  const NamedFunction& function = found[0];
  EXPECT_EQ(function.name, "victim_lock");
  EXPECT_EQ(function.address, reinterpret_cast<std::uint64_t>(dlsym(library, "victim_lock")));
  EXPECT_EQ(function.path, CT_NAMES_VICTIM);
  EXPECT_EQ(function.why_not, "");
  struct stat status {};
  ASSERT_EQ(stat(CT_NAMES_VICTIM, &status), 0);
  EXPECT_EQ(function.place.inode, status.st_ino);
  EXPECT_LE(function.place.map_begin, function.address);
  EXPECT_GT(function.place.map_end, function.address);
  // Its code is what stands in the file at its offset, to the last instruction: ret.
  ASSERT_FALSE(function.code.empty());
  EXPECT_EQ(function.code.back(), std::byte{0xc3});
  const UniqueFd file(open(CT_NAMES_VICTIM, O_RDONLY | O_CLOEXEC));
  Bytes bytes(function.code.size());
  ASSERT_EQ(
      pread(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(function.place.file_offset)),
      static_cast<ssize_t>(bytes.size()));
  EXPECT_EQ(bytes, function.code);
}

TEST_F(NamedFunctionsTest, HaveEveryOverloadUnlessOneIsChosen) {
  EXPECT_THAT(Names("app::v1::Pool::acquire"), SizeIs(3));
  EXPECT_THAT(Names("Pool::acquire"), SizeIs(3));
  EXPECT_THAT(Names("Pool::acquire(int)"), ElementsAre("app::v1::Pool::acquire(int)"));
  EXPECT_THAT(Names("Pool::acquire()"), ElementsAre("app::v1::Pool::acquire()"));
  EXPECT_THAT(Names("Pool::acquire(const std::string&, std::vector<int>)"),
              ElementsAre(HasSubstr("basic_string")));
  EXPECT_THAT(Names("Pool::operator()"), ElementsAre("app::v1::Pool::operator()(int)"));
  EXPECT_THAT(Names("Hidden::acquire"),
              ElementsAre("app::(anonymous namespace)::Hidden::acquire(int)"));
  EXPECT_THAT(Names("Shelf::take"),
              UnorderedElementsAre("app::v1::Shelf<int>::take(unsigned int)",
                                   "app::v1::Shelf<app::v1::Lease>::take(unsigned int)"));
  EXPECT_THAT(Names("_ZN3app12acquire_unitEi"), ElementsAre("app::acquire_unit(int)"));
  EXPECT_THAT(Names("app::acquire_unit"), ElementsAre("app::acquire_unit(int)"));
}

TEST_F(NamedFunctionsTest, AreOneAnAddress) {
  // C1 and C2, D1 and D2 are the same code; the one that frees the object calls the other.
  EXPECT_THAT(Names("Pool::Pool"), ElementsAre("app::v1::Pool::Pool()"));
  EXPECT_THAT(Names("Pool::~Pool"), ElementsAre("app::v1::Pool::~Pool()"));
  EXPECT_THAT(Names("victim_lock_alias"), ElementsAre("victim_lock_alias"));
}

TEST_F(NamedFunctionsTest, AreNotThereUnderOtherNamesOrInOtherFiles) {
  EXPECT_THAT(Names("victim_missing"), IsEmpty());
  EXPECT_THAT(Names("acquire"), IsEmpty());
  EXPECT_THAT(Names("Pool::acquire(char)"), IsEmpty());
  EXPECT_THAT(Names("victim_lock", "libother.so"), IsEmpty());
  EXPECT_THAT(Names("victim_lock", "libtarget_nam*.so*"), SizeIs(1));
  EXPECT_THAT(Names("victim_lock", "exe"), IsEmpty());
  EXPECT_THAT(Names("main", "exe"), ElementsAre("main"));
}

TEST_F(NamedFunctionsTest, SayWhyAFunctionCannotBeFollowed) {
  const auto clone = Find("victim_specialized");
  ASSERT_THAT(clone, SizeIs(1));
  EXPECT_EQ(clone[0].name, "victim_specialized.constprop.0");
  EXPECT_THAT(clone[0].why_not, HasSubstr("clone"));
  const auto asked_for = Find("victim_specialized.constprop.0");
  ASSERT_THAT(asked_for, SizeIs(1));
  EXPECT_EQ(asked_for[0].why_not, "");
  const auto indirect = Find("strlen", "libc.so.6");
  ASSERT_THAT(indirect, SizeIs(1));
  EXPECT_THAT(indirect[0].why_not, HasSubstr("IFUNC"));
}

TEST_F(NamedFunctionsTest, EndWhereTheNextBegins) {
  const auto first = Find("victim_unsized");
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_THAT(first[0].code, ElementsAre(std::byte{0x90}, std::byte{0x90}, std::byte{0xc3}));
  const auto second = Find("victim_unsized_next");
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_FALSE(second[0].code.empty());
  EXPECT_LE(second[0].code.size(), Target::kMaxCode);
}

TEST_F(NamedFunctionsTest, HaveEveryVersionOfASymbol) {
  const auto found = Find("pthread_cond_wait", "libc.so.6");
  ASSERT_FALSE(found.empty());
  const auto here = reinterpret_cast<std::uint64_t>(&pthread_cond_wait);
  EXPECT_TRUE(std::any_of(found.begin(), found.end(),
                          [&](const auto& function) { return function.address == here; }));
  void* const old = dlvsym(RTLD_DEFAULT, "pthread_cond_wait", "GLIBC_2.2.5");
  ASSERT_NE(old, nullptr);
  EXPECT_TRUE(std::any_of(found.begin(), found.end(), [&](const auto& function) {
    return function.address == reinterpret_cast<std::uint64_t>(old);
  }));
}

TEST_F(NamedFunctionsTest, AnswerManyQuestionsAtOnce) {
  const std::vector<FunctionQuery> queries = {{"pthread_mutex_lock", {"libc.so.6"}},
                                              {"victim_lock", {"libc.so.6", kVictim}},
                                              {"pthread_mutex_unlock", {"lib?.so*"}},
                                              {"victim_lock", {kVictim}}};
  for (int again = 0; again < 2; ++again) {
    const NamedFunctions found = target_->FunctionsNamed(queries);
    EXPECT_FALSE(found.more);
    EXPECT_THAT(found.unreadable, IsEmpty());
    std::vector<std::uint32_t> order;
    for (const NamedFunction& function : found.functions) order.push_back(function.query);
    EXPECT_THAT(order, ElementsAre(0, 1, 2, 3));
  }
}

TEST_F(NamedFunctionsTest, AreFoundInAFileThatIsNoLongerThere) {
  const std::string copy = testing::TempDir() + "libnames_copy.so.1";
  const std::string replaced = testing::TempDir() + "libnames_copy.so.1;65a1f2c4";
  ASSERT_EQ(system(("cp " CT_NAMES_VICTIM " " + copy).c_str()), 0);
  void* const opened = dlopen(copy.c_str(), RTLD_NOW);
  ASSERT_NE(opened, nullptr) << dlerror();
  ASSERT_EQ(rename(copy.c_str(), replaced.c_str()), 0);
  ASSERT_TRUE(target_->Refresh());
  EXPECT_THAT(Names("victim_lock", "libnames_copy.so.*"), SizeIs(1)) << "renamed, as RPM does";
  ASSERT_EQ(unlink(replaced.c_str()), 0);
  ASSERT_TRUE(target_->Refresh());
  const auto found = Find("victim_lock", "libnames_copy.so.1");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_FALSE(found[0].code.empty());
  dlclose(opened);
}

}  // namespace
}  // namespace ct
