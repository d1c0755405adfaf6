#include "agent/folder_entries.h"

#include <algorithm>
#include <system_error>

namespace allot::agent {

Result<std::vector<std::filesystem::directory_entry>> EntriesOf(const std::string& folder) {
  std::vector<std::filesystem::directory_entry> entries;
  std::error_code error;
  // A range-for goes on with the operator that throws, whatever the iterator was made with.
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    entries.push_back(*entry);
  }
  if (error) {
    return StateError(Reason::kStoreUnavailable, folder + " cannot be read: " + error.message());
  }
  std::ranges::sort(entries);
  return entries;
}

}  // namespace allot::agent
