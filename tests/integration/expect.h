// The whole answer in one assertion.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "tests/integration/answer.h"

namespace ct::test {

// Exit statuses of the tracer, as its help names them.
inline constexpr int kNothing = 0;
inline constexpr int kError = 1;
inline constexpr int kUsage = 2;
inline constexpr int kNotSeen = 3;
inline constexpr int kHang = 10;
inline constexpr int kFindings = 11;

// An answer is fast, whatever the target does.
inline constexpr double kPatienceSeconds = 10;

inline void ExpectAnswer(const Answer& answer, int status, const std::string& findings) {
  EXPECT_EQ(answer.findings, findings);
  EXPECT_EQ(answer.run.status, status) << answer.run.error;
  EXPECT_EQ(answer.relevant_losses, Strings{});
  EXPECT_LT(answer.run.seconds, kPatienceSeconds);
}

}  // namespace ct::test
