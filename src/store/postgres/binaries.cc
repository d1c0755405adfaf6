#include "store/postgres/binaries.h"

#include <unistd.h>

#include <charconv>
#include <cstdlib>

namespace allot::store {
namespace {

namespace fs = std::filesystem;

constexpr int kVersionMin = 15;

bool HasBinaries(const fs::path& dir) {
  return ::access((dir / "postgres").c_str(), X_OK) == 0 &&
         ::access((dir / "initdb").c_str(), X_OK) == 0;
}

}  // namespace

Result<fs::path> FindBinaries(const std::optional<std::string>& version) {
  std::error_code ignored;
  int newest = 0;
  fs::path found;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    const std::string name = entry.path().filename();
    int number = 0;
    std::from_chars(name.data(), name.data() + name.size(), number);
    if (!HasBinaries(entry.path() / "bin")) continue;
    if (version ? name != *version : number < kVersionMin || number <= newest) continue;
    newest = number;
    found = entry.path() / "bin";
  }
  if (!found.empty()) return found;
  if (!version) {
    // Nothing in this program sets a variable.
    const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe)
    std::string rest = path == nullptr ? "" : path;
    while (!rest.empty()) {
      const std::string dir = rest.substr(0, rest.find(':'));
      rest.erase(0, dir.size() + 1);
      if (!dir.empty() && HasBinaries(dir)) return fs::path(dir);
    }
  }
  return StateError(Reason::kConfigInvalid,
                    "PostgreSQL " + version.value_or(std::to_string(kVersionMin) + " or later") +
                        " is not installed: install the package postgresql-" +
                        version.value_or(std::to_string(kVersionMin)) + ".");
}

}  // namespace allot::store
