// A redis server of a test's own.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "tests/integration/harness.h"

namespace ct::test {

class Redis {
 public:
  Redis() {
    server_ = std::make_unique<Child>(Strings{"redis-server", "--port", "0", "--unixsocket",
                                              socket(), "--save", "", "--logfile", ""});
    // The last words of its start vary; the socket does not.
    for (int attempt = 0; attempt < 200; ++attempt) {
      const Strings files = directory_.List();
      if (!files.empty()) return;
      SleepFor(Milliseconds(50));
    }
    throw std::runtime_error("redis-server does not start: run deploy/bootstrap --test");
  }
  [[nodiscard]] std::string socket() const { return directory_.File("redis.sock"); }

 private:
  TempDir directory_;
  std::unique_ptr<Child> server_;
};

}  // namespace ct::test
