// A site's own catalog in /etc/concurrency-tracer/catalog.d: it is followed as the shipped one is,
// and a mistake in it is told with file and line.
#include <sched.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <sys/mount.h>

#include "tests/integration/holds.h"

namespace ct::test {
namespace {

using ::testing::HasSubstr;

// The pool of tests/targets/connection_pool.h.
constexpr const char* kPool = R"([[family]]
name = "orders pool"
files = ["connection_pool"]
kind = "pool"
units = true
capacity = 3

  [[family.function]]
  name = "app::ConnectionPool::acquire"
  role = "acquire"
  succeeds = "nonzero"

  [[family.function]]
  name = "app::ConnectionPool::release"
  role = "release"
  unit = 1
)";

// An /etc that only the tracer sees, with this catalog in it.
class EtcWith {
 public:
  explicit EtcWith(const std::string& catalog) {
    const std::filesystem::path directory = directory_.File("concurrency-tracer/catalog.d");
    std::filesystem::create_directories(directory);
    std::ofstream(directory / "site.toml") << catalog;
  }
  [[nodiscard]] SpawnOptions Options() const {
    SpawnOptions options;
    options.before_exec = [layers = "lowerdir=" + directory_.path() + ":/etc"] {
      if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "", MS_REC | MS_PRIVATE, "") != 0 ||
          mount("none", "/etc", "overlay", MS_RDONLY, layers.c_str()) != 0) {
        perror("an /etc of its own");
        _exit(1);
      }
    };
    return options;
  }

 private:
  TempDir directory_;
};

TEST(CatalogDirectory, APoolOfTheSitesOwnIsFollowed) {
  const EtcWith etc(kPool);
  FollowOptions options;
  options.more = {"--long-hold", "1h"};
  options.until = "DEADLOCK";
  options.asleep = {"order", "price", "stock"};
  options.spawn = etc.Options();
  const Followed followed = Follow("connection_pool", {}, options);
  EXPECT_THAT(followed.answer.findings, HasSubstr("DEADLOCK certain, never ends")) << followed.said;
  EXPECT_THAT(followed.text, HasSubstr("g_pool"));
  for (const std::string name : {"order", "price", "stock"}) {
    EXPECT_THAT(followed.text, HasSubstr(LineOf("connection_pool.cc", name + " takes")));
    EXPECT_THAT(followed.text, HasSubstr(LineOf("connection_pool.cc", name + " wants another")));
  }
}

TEST(CatalogDirectory, WithoutItThePoolIsNotKnown) {
  FollowOptions options;
  options.more = {"--long-hold", "1h"};
  options.asleep = {"order", "price", "stock"};
  const Followed followed = Follow("connection_pool", {}, options);
  EXPECT_EQ(followed.answer.findings, "");
}

TEST(CatalogDirectory, AMistakeIsToldWithFileAndLine) {
  std::string catalog = kPool;
  catalog.replace(catalog.find("\"pool\""), 6, "\"puddle\"");
  const EtcWith etc(catalog);
  const Target target("connection_pool");
  for (const Strings& arguments :
       {Strings{"--holds", "-p", std::to_string(target.pid())},
        Strings{"doctor", "--probes", "-p", std::to_string(target.pid())}}) {
    const Outcome run = RunTracer(arguments, etc.Options());
    EXPECT_EQ(run.status, kError) << run.output;
    EXPECT_THAT(run.error, HasSubstr("/etc/concurrency-tracer/catalog.d/site.toml:4: "));
    EXPECT_THAT(run.error, HasSubstr("puddle"));
    EXPECT_EQ(SplitLines(run.error).size(), 1U) << run.error;
  }
}

}  // namespace
}  // namespace ct::test
