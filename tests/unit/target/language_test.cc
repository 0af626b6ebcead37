#include "target/language.h"

#include <gtest/gtest.h>

namespace ct {
namespace {

std::string Of(const std::string& library, const std::string& executable = "/usr/bin/x") {
  const std::vector<Mapping> mappings = {
      {.begin = 0x1000, .end = 0x2000, .inode = 1, .executable = true, .path = library}};
  return LanguageOfRuntime(mappings, executable);
}

TEST(LanguageOfRuntime, GoesByTheFilesOfTheRuntime) {
  EXPECT_EQ(Of("/usr/lib/jvm/java-17/lib/server/libjvm.so"), "java");
  EXPECT_EQ(Of("/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0"), "python 3.11");
  EXPECT_EQ(Of("/usr/bin/python3.13"), "python 3.13");
  EXPECT_EQ(Of("/usr/bin/node", "/usr/bin/node"), "node.js");
  EXPECT_EQ(Of("/usr/lib/x86_64-linux-gnu/libc.so.6"), "");
}

TEST(LanguageOfRuntime, IsNotFooledByNamesThatOnlyResemble) {
  EXPECT_EQ(Of("/opt/pythonista.so"), "");
  EXPECT_EQ(Of("/opt/python3"), "");
  EXPECT_EQ(Of("/opt/python3."), "");
  EXPECT_EQ(Of("/opt/my-libjvm.so.bak"), "");
  EXPECT_EQ(Of("/opt/libboost_python311.so"), "");
}

}  // namespace
}  // namespace ct
