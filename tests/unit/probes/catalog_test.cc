// Catalogs as people write them: what they mean, and what is said of each mistake.
#include "probes/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ct {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kMutex = R"(
[[family]]
name = "glibc mutex"
files = ["libc.so.6", "libpthread-*.so"]
kind = "mutex"
implementation = "glibc"
type = "pthread_mutex_t"
owner = "glibc mutex"

  [[family.function]]
  name = "pthread_mutex_lock"
  role = "acquire"
  succeeds = "owner"

  [[family.function]]
  name = "pthread_mutex_unlock"
  role = "release"
)";

std::string Wrong(std::string_view text) {
  const auto parsed = ParseCatalog(text, "x.toml");
  EXPECT_FALSE(parsed) << text;
  if (parsed) return "";
  EXPECT_EQ(parsed.error().code, ErrorCode::kMalformed);
  return parsed.error().message;
}

// A family of which one line is another: `line` replaces the one that begins with `key`.
std::string With(std::string_view key, std::string_view line) {
  std::string text;
  std::string_view rest =
      "[[family]]\n"
      "name = \"a\"\n"
      "files = [\"x\"]\n"
      "kind = \"pool\"\n"
      "units = true\n"
      "[[family.function]]\n"
      "name = \"get\"\n"
      "role = \"acquire\"\n"
      "[[family.function]]\n"
      "name = \"put\"\n"
      "role = \"release\"\n"
      "unit = 2\n";
  bool done = false;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n') + 1;
    if (!done && rest.substr(0, end).find(key) == 0) {
      text += line;
      text += '\n';
      done = true;
    } else {
      text += rest.substr(0, end);
    }
    rest.remove_prefix(end);
  }
  EXPECT_TRUE(done) << key;
  return text;
}

TEST(Catalog, AFamilyMeansWhatItSays) {
  const auto parsed = ParseCatalog(kMutex, "glibc.toml");
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->size(), 1U);
  const CatalogFamily& family = parsed->front();
  EXPECT_EQ(family.name, "glibc mutex");
  EXPECT_EQ(family.files, (std::vector<std::string>{"libc.so.6", "libpthread-*.so"}));
  EXPECT_EQ(family.kind, ResourceKind::kMutex);
  EXPECT_EQ(family.implementation, Implementation::kGlibc);
  EXPECT_EQ(family.type, "pthread_mutex_t");
  EXPECT_FALSE(family.has_units);
  EXPECT_EQ(family.capacity, 0U);
  EXPECT_EQ(family.source, "glibc.toml:2");
  const OwnerWord owner = {true, 0, true, 8, true};
  EXPECT_EQ(family.owner, owner);
  CatalogFunction lock;
  lock.name = "pthread_mutex_lock";
  lock.success = SuccessRule::kOwnerWord;
  CatalogFunction unlock;
  unlock.name = "pthread_mutex_unlock";
  unlock.role = HoldRole::kRelease;
  EXPECT_EQ(family.functions, (std::vector<CatalogFunction>{lock, unlock}));
}

TEST(Catalog, APoolWithUnits) {
  const auto parsed = ParseCatalog(With("kind", "kind = \"pool\"\ncapacity = 20"), "x.toml");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const CatalogFamily& family = parsed->front();
  EXPECT_TRUE(family.has_units);
  EXPECT_EQ(family.capacity, 20U);
  EXPECT_EQ(family.implementation, Implementation::kUnknown);
  EXPECT_EQ(family.type, "");
  EXPECT_EQ(family.owner, OwnerWord{});
  // What an acquire of a pool returns matters though nothing is said of it.
  EXPECT_EQ(family.functions[0].success, SuccessRule::kReturnValue);
  EXPECT_EQ(family.functions[0].succeeds, ReturnValue::kAny);
  EXPECT_EQ(family.functions[1].success, SuccessRule::kReturns);
  EXPECT_EQ(family.functions[1].unit_argument, 2U);
}

TEST(Catalog, EveryWord) {
  const auto parsed = ParseCatalog(R"(
[[family]]
name = "a"
files = ["exe"]
kind = "rwlock"
owner = { state_at = -4, owner_at = 24 }
function = [
  { name = "l", role = "acquire", key = 5, mode = "exclusive", succeeds = "always" },
  { name = "r", role = "acquire", mode = "shared", succeeds = "zero" },
  { name = "t", role = "try acquire", succeeds = "nonzero" },
  { name = "o", role = "try acquire", succeeds = "one" },
  { name = "b", role = "try acquire", succeeds = "true" },
  { name = "w", role = "condition wait", succeeds = "owner" },
  { name = "v", role = "acquire", succeeds = "returns" },
  { name = "u", role = "release" },
  { name = "i", role = "begin" },
  { name = "d", role = "end" },
]
[[family]]
name = "s"
files = ["x"]
kind = "semaphore"
capacity = 4294967295
function = [ { name = "p", role = "acquire" }, { name = "v", role = "release" } ]
)",
                                   "x.toml");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const CatalogFamily& family = parsed->front();
  const OwnerWord owner = {true, -4, true, 24, false};
  EXPECT_EQ(family.owner, owner);
  using Row = std::tuple<HoldRole, AccessMode, std::uint32_t, SuccessRule, ReturnValue>;
  std::vector<Row> rows;
  for (const CatalogFunction& f : family.functions) {
    rows.emplace_back(f.role, f.mode, f.key_argument, f.success, f.succeeds);
  }
  const auto one = AccessMode::kExclusive;
  const auto shared = AccessMode::kShared;
  const auto any = ReturnValue::kAny;
  const std::vector<Row> expected = {
      {HoldRole::kAcquire, one, 5, SuccessRule::kReturns, any},
      {HoldRole::kAcquire, shared, 0, SuccessRule::kReturnValue, ReturnValue::kZero},
      {HoldRole::kTryAcquire, one, 0, SuccessRule::kReturnValue, ReturnValue::kNonZero},
      {HoldRole::kTryAcquire, one, 0, SuccessRule::kReturnValue, ReturnValue::kOne},
      {HoldRole::kTryAcquire, one, 0, SuccessRule::kReturnValue, ReturnValue::kTrue},
      {HoldRole::kConditionWait, one, 0, SuccessRule::kOwnerWord, any},
      {HoldRole::kAcquire, one, 0, SuccessRule::kReturnValue, any},
      {HoldRole::kRelease, one, 0, SuccessRule::kReturns, any},
      {HoldRole::kBegin, one, 0, SuccessRule::kReturns, any},
      {HoldRole::kEnd, one, 0, SuccessRule::kReturns, any},
  };
  EXPECT_EQ(rows, expected);
  EXPECT_EQ(parsed->back().capacity, 4294967295U);
  EXPECT_EQ(parsed->back().kind, ResourceKind::kSemaphore);
}

TEST(CatalogMistakes, NoToml) {
  EXPECT_THAT(Wrong("[[family]\n"), HasSubstr("x.toml:1: Error while parsing"));
  EXPECT_THAT(Wrong("\n\nname = \"a\nb\"\n"), HasSubstr("x.toml:3: "));
  EXPECT_THAT(Wrong("a = 1\na = 2\n"), HasSubstr("x.toml:2: "));
  EXPECT_THAT(Wrong("a = \"\xff\"\n"), HasSubstr("x.toml:1: "));
  EXPECT_EQ(Wrong(std::string((1 << 20) + 1, '\n')), "x.toml:1: longer than 1 MiB");
}

TEST(CatalogMistakes, NoFamilies) {
  EXPECT_EQ(Wrong(""), "x.toml:1: a catalog needs at least one [[family]]");
  EXPECT_EQ(Wrong("\nfamily = 3\n"), "x.toml:2: a catalog needs at least one [[family]]");
  EXPECT_EQ(Wrong("family = [1]\n"), "x.toml:1: a catalog needs at least one [[family]]");
  EXPECT_EQ(Wrong("[family]\nname = \"a\"\n"), "x.toml:1: a catalog needs at least one [[family]]");
  EXPECT_EQ(Wrong("# pools\n\n[[pool]]\nname = \"a\"\n"),
            "x.toml:1: a catalog needs at least one [[family]]");
  std::string many;
  for (int i = 0; i < 257; ++i) many += "[[family]]\n";
  EXPECT_EQ(Wrong(many), "x.toml:1: a catalog has at most 256 families");
}

TEST(CatalogMistakes, KeysThatNobodyKnows) {
  EXPECT_EQ(Wrong(With("kind", "kind = \"pool\"\nsize = 3")),
            "x.toml:5: a family has no key \"size\" (known: name, files, kind, implementation, "
            "type, units, capacity, owner, function)");
  EXPECT_EQ(Wrong(With("role", "role = \"acquire\"\narg = 3")),
            "x.toml:9: a function has no key \"arg\" (known: name, role, mode, key, unit, "
            "succeeds)");
  EXPECT_EQ(Wrong(With("kind", "kind = \"mutex\"\nowner = { at = 3 }")),
            "x.toml:5: an owner has no key \"at\" (known: state_at, owner_at)");
  EXPECT_EQ(Wrong(std::string(kMutex) + "[more]\n"),
            "x.toml:18: a catalog has no key \"more\" (known: family)");
}

TEST(CatalogMistakes, WhatIsMissing) {
  EXPECT_EQ(Wrong(With("name = \"a\"", "")), "x.toml:1: a family lacks its name");
  EXPECT_EQ(Wrong(With("files", "")), "x.toml:1: a family lacks its files");
  EXPECT_EQ(Wrong(With("kind", "")), "x.toml:1: a family lacks its kind");
  EXPECT_EQ(Wrong(With("name = \"get\"", "")), "x.toml:6: a function lacks its name");
  EXPECT_EQ(Wrong(With("role = \"release\"", "")), "x.toml:9: a function lacks its role");
  EXPECT_EQ(Wrong(With("role = \"acquire\"", "role = \"end\"")),
            "x.toml:2: a family needs a function that acquires");
  EXPECT_EQ(Wrong(With("role = \"release\"", "role = \"end\"")),
            "x.toml:2: a family needs a function that releases");
}

TEST(CatalogMistakes, FunctionsOfAFamily) {
  const std::string head = "[[family]]\nname = \"a\"\nfiles = [\"x\"]\nkind = \"mutex\"\n";
  EXPECT_EQ(Wrong(head), "x.toml:1: a family needs at least one [[family.function]]");
  EXPECT_EQ(Wrong(head + "function = []\n"),
            "x.toml:5: a family needs at least one [[family.function]]");
  EXPECT_EQ(Wrong(head + "function = [\"lock\"]\n"),
            "x.toml:5: a family needs at least one [[family.function]]");
  EXPECT_EQ(Wrong(head + "function = [{ name = \"l\", role = \"acquire\" }]\n"),
            "x.toml:2: a family needs a function that releases");
  std::string many = head;
  for (int i = 0; i < 65; ++i) many += "[[family.function]]\n";
  EXPECT_EQ(Wrong(many), "x.toml:5: a family has at most 64 functions");
  EXPECT_EQ(Wrong(With("name = \"put\"", "name = \"get\"")),
            "x.toml:10: \"get\" is twice in its family");
}

TEST(CatalogMistakes, WrongTypes) {
  EXPECT_EQ(Wrong(With("name", "name = 3")), "x.toml:2: name is a number, not a text");
  EXPECT_EQ(Wrong(With("name", "name = [\"a\"]")), "x.toml:2: name is a list, not a text");
  EXPECT_EQ(Wrong(With("name", "name = 1.5")), "x.toml:2: name is a fraction, not a text");
  EXPECT_EQ(Wrong(With("name", "name = 2020-01-01")), "x.toml:2: name is a date, not a text");
  EXPECT_EQ(Wrong(With("name", "name = {}")), "x.toml:2: name is a table, not a text");
  EXPECT_EQ(Wrong(With("name", "name = true")), "x.toml:2: name is true or false, not a text");
  EXPECT_EQ(Wrong(With("files", "files = \"libc.so.6\"")), "x.toml:3: files is a text, not a list");
  EXPECT_EQ(Wrong(With("files", "files = [\n\"x\",\n3]")),
            "x.toml:5: an entry of files is a number, not a text");
  EXPECT_EQ(Wrong(With("units", "units = 1")), "x.toml:5: units is a number, not true or false");
  EXPECT_EQ(Wrong(With("units", "units = true\ncapacity = \"3\"")),
            "x.toml:6: capacity is a text, not a number");
  EXPECT_EQ(Wrong(With("units", "owner = 8")),
            "x.toml:5: owner is \"glibc mutex\" or a table with state_at, owner_at or both");
  EXPECT_EQ(Wrong(With("units", "owner = \"musl mutex\"")),
            "x.toml:5: owner is \"glibc mutex\" or a table with state_at, owner_at or both");
  EXPECT_EQ(Wrong(With("units", "owner = {}")),
            "x.toml:5: owner is \"glibc mutex\" or a table with state_at, owner_at or both");
}

TEST(CatalogMistakes, WordsThatNobodyKnows) {
  EXPECT_EQ(Wrong(With("kind", "kind = \"lock\"")),
            "x.toml:4: kind is \"lock\" (known: mutex, rwlock, semaphore, pool)");
  EXPECT_EQ(Wrong(With("role", "role = \"lock\"")),
            "x.toml:8: role is \"lock\" (known: acquire, try acquire, release, condition wait, "
            "begin, end)");
  EXPECT_EQ(Wrong(With("role", "role = \"acquire\"\nmode = \"read\"")),
            "x.toml:9: mode is \"read\" (known: exclusive, shared)");
  EXPECT_EQ(Wrong(With("role", "role = \"acquire\"\nsucceeds = \"0\"")),
            "x.toml:9: succeeds is \"0\" (known: always, owner, returns, zero, nonzero, one, "
            "true)");
  EXPECT_EQ(Wrong(With("units", "implementation = \"Glibc\"")),
            "x.toml:5: implementation is \"Glibc\" (known: unknown, glibc, musl, libstdc++, Rust "
            "std, parking_lot, absl, Go runtime, JVM, CPython)");
}

TEST(CatalogMistakes, ValuesThatCannotBe) {
  EXPECT_EQ(Wrong(With("name", "name = \"\"")), "x.toml:2: name is empty");
  EXPECT_EQ(Wrong(With("name", "name = \"a\\u0007\"")), "x.toml:2: name has control characters");
  EXPECT_EQ(Wrong(With("name", "name = \"" + std::string(1025, 'a') + "\"")),
            "x.toml:2: name is longer than 1024 bytes");
  EXPECT_EQ(Wrong(With("files", "files = []")), "x.toml:3: files has 0 entries, not 1 to 32");
  EXPECT_EQ(Wrong(With("files", "files = [\"\"]")), "x.toml:3: files is empty");
  EXPECT_EQ(Wrong(With("files", "files = [\"/usr/lib/libc.so.6\"]")),
            "x.toml:3: \"/usr/lib/libc.so.6\" is a path: files are names, wherever they lie");
  EXPECT_EQ(Wrong(With("role", "role = \"acquire\"\nkey = 6")), "x.toml:9: key is 6, not 0 to 5");
  EXPECT_EQ(Wrong(With("role", "role = \"acquire\"\nkey = -1")), "x.toml:9: key is -1, not 0 to 5");
  EXPECT_EQ(Wrong(With("unit =", "unit = 6")), "x.toml:12: unit is 6, not 0 to 5");
  EXPECT_EQ(Wrong(With("units", "capacity = 0")), "x.toml:5: capacity is 0, not 1 to 4294967295");
  EXPECT_EQ(Wrong(With("units", "owner = { owner_at = 5000 }")),
            "x.toml:5: owner_at is 5000, not -4096 to 4096");
}

TEST(CatalogMistakes, WhatDoesNotGoTogether) {
  EXPECT_EQ(Wrong(With("kind", "kind = \"mutex\"")), "x.toml:5: units is only for a pool");
  EXPECT_EQ(Wrong(With("kind", "kind = \"mutex\"\ncapacity = 3")),
            "x.toml:5: capacity is only for a pool or a semaphore");
  EXPECT_EQ(Wrong(With("role", "role = \"acquire\"\nunit = 1")),
            "x.toml:9: unit is only for the release of a pool with units");
  EXPECT_EQ(Wrong(With("units", "")),
            "x.toml:12: unit is only for the release of a pool with units");
  EXPECT_EQ(Wrong(With("unit =", "succeeds = \"zero\"")),
            "x.toml:12: succeeds is only for what acquires");
  EXPECT_EQ(Wrong(With("unit =", "mode = \"shared\"")),
            "x.toml:12: mode is only for what acquires");
  EXPECT_EQ(Wrong(With("role", "role = \"acquire\"\nsucceeds = \"owner\"")),
            "x.toml:9: succeeds is \"owner\", and the family has no owner_at");
  EXPECT_EQ(Wrong(With("role", "role = \"acquire\"\nsucceeds = \"always\"")),
            "x.toml:9: in a pool with units, what an acquire returns is the unit");
}

TEST(CatalogMistakes, TheSameFamilyTwice) {
  EXPECT_EQ(Wrong(std::string(kMutex) + std::string(kMutex)),
            "x.toml:19: \"glibc mutex\" is there already (x.toml:2)");
}

// The first one in the file, in whatever order it was read.
TEST(CatalogMistakes, TheFirstOfSeveral) {
  EXPECT_EQ(Wrong("[[family]]\nzzz = 1\nkind = \"lock\"\n"), "x.toml:1: a family lacks its name");
  // What would only follow from another one is not said: the line of the kind is behind that of the
  // units.
  EXPECT_EQ(Wrong("[[family]]\nname = \"a\"\nfiles = [\"x\"]\nunits = true\nkind = 3\n"
                  "function = [{ name = \"l\", role = \"acquire\" }]\n"),
            "x.toml:2: a family needs a function that releases");
  EXPECT_EQ(Wrong("[[family]]\nname = \"a\"\nfiles = [\"x\"]\nunits = true\nkind = 3\n"
                  "function = [{ name = \"l\", role = \"get\" }]\n"),
            "x.toml:5: kind is a number, not a text");
  EXPECT_EQ(Wrong("[[family]]\nname = \"a\"\nkind = 3\nfiles = 4\nfunction = 5\n"),
            "x.toml:3: kind is a number, not a text");
}

TEST(Override, TheLaterOneOfAName) {
  const auto family = [](std::string name, std::string source) {
    CatalogFamily made;
    made.name = std::move(name);
    made.source = std::move(source);
    return made;
  };
  const auto merged =
      Override({family("a", "1"), family("b", "1")}, {family("c", "2"), family("a", "2")});
  EXPECT_EQ(merged,
            (std::vector<CatalogFamily>{family("a", "2"), family("b", "1"), family("c", "2")}));
}

}  // namespace
}  // namespace ct
