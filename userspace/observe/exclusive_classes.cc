#include "observe/exclusive_classes.h"

namespace ct {

std::vector<std::string> DefaultExclusiveClasses() {
  return {
      // "The Session is not intended to be shared between concurrent threads or tasks."
      "sqlalchemy.orm.session.Session",
      "sqlalchemy.ext.asyncio.session.AsyncSession",
      "sqlalchemy.ext.asyncio.engine.AsyncConnection",
      // "cannot perform operation: another operation is in progress"
      "asyncpg.connection.Connection",
      // Shared with check_same_thread=False, its user has to serialize what belongs together.
      "sqlite3.Connection",
  };
}

}  // namespace ct
