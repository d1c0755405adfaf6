#include "store/postgres/connection_environment.h"

#include <libpq-fe.h>

#include <cstdlib>
#include <memory>

#include "store/postgres/failure.h"

namespace allot::store {

Result<std::vector<std::string>> ConnectionEnvironment(const std::string& url) {
  ALLOT_RETURN_IF_ERROR(CheckDatabaseUrl(url));
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(url.c_str(), nullptr), &PQconninfoFree);
  std::vector<std::string> environment;
  const auto add = [&](const char* name, const char* given) {
    // Nothing in this program sets a variable.
    const char* value =
        given != nullptr ? given : std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    if (value != nullptr) environment.push_back(std::string(name) + "=" + value);
  };
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->envvar != nullptr) add(option->envvar, option->val);
  }
  // Where .pgpass is.
  add("HOME", nullptr);
  return environment;
}

}  // namespace allot::store
