// A MariaDB server of a test's own, run by user mysql; user root has no password.
#pragma once

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>

#include "tests/integration/harness.h"

namespace ct::test {

class Mariadb {
 public:
  Mariadb() {
    const passwd* user = getpwnam("mysql");
    if (user == nullptr) throw std::runtime_error("no user mysql: run deploy/bootstrap --test");
    if (chown(directory_.path().c_str(), user->pw_uid, user->pw_gid) != 0) {
      throw std::runtime_error("chown " + directory_.path());
    }
    const std::string data = "--datadir=" + directory_.File("data");
    Child install({"mariadb-install-db", "--no-defaults", data, "--user=mysql",
                   "--auth-root-authentication-method=normal", "--skip-test-db"});
    install.Wait(Milliseconds(60'000));
    server_ = std::make_unique<Child>(
        Strings{"mariadbd", "--no-defaults", data, "--socket=" + socket(), "--skip-networking",
                "--user=mysql", "--innodb-flush-log-at-trx-commit=0"});
    for (int attempt = 0; attempt < 400; ++attempt) {
      const Strings files = directory_.List();
      if (std::find(files.begin(), files.end(), kSocket) != files.end()) return;
      SleepFor(Milliseconds(50));
    }
    throw std::runtime_error("mariadbd does not start: run deploy/bootstrap --test");
  }
  [[nodiscard]] std::string socket() const { return directory_.File(kSocket); }

 private:
  static constexpr const char* kSocket = "mariadb.sock";
  TempDir directory_;
  std::unique_ptr<Child> server_;
};

}  // namespace ct::test
