// The tests load BPF programs and make cgroups and namespaces: without root they fail at once.
#include <unistd.h>

#include <cstdio>

#include <gtest/gtest.h>

namespace {

class NeedsRoot : public testing::Environment {
 public:
  void SetUp() override {
    if (geteuid() != 0) GTEST_FAIL() << "integration tests need root: run them with sudo";
  }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::AddGlobalTestEnvironment(new NeedsRoot);
  return RUN_ALL_TESTS();
}
