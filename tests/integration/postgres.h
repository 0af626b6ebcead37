// A PostgreSQL server of a test's own, and programs that talk to it.
#pragma once

#include <memory>
#include <string>

#include "tests/integration/harness.h"

namespace ct::test {

// A server on a socket in its own directory, run by user postgres.
class Postgres {
 public:
  // Settings are "name=value", on top of those that make it start fast.
  explicit Postgres(const Strings& settings = {});

  [[nodiscard]] pid_t pid() const { return server_->pid(); }
  // The directory of its socket.
  [[nodiscard]] const std::string& path() const { return directory_.path(); }

  // pgbench's own schema and its mixed load, from `clients` connections, until it is destroyed.
  std::unique_ptr<Child> Load(int clients);
  // A client program of the server, such as psql or pgbench, connected to this server's database.
  std::unique_ptr<Child> Client(const std::string& program, const Strings& arguments);
  // The same, run to its end; throws if it fails. Returns what it printed.
  std::string Run(const std::string& program, const Strings& arguments);

 private:
  void AwaitReady() const;

  TempDir directory_;
  std::unique_ptr<Child> server_;
};

}  // namespace ct::test
