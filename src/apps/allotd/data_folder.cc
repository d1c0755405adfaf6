#include "apps/allotd/data_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace allot::allotd {
namespace {

Error Unwritable(const std::string& path) {
  return StateError(Reason::kConfigInvalid, "the data folder's " + path + " cannot be written: " +
                                                std::generic_category().message(errno));
}

/// Written beside its place and moved into it, so that no reader meets half a file.
Status WriteWhole(const std::string& path, const std::string& text, mode_t mode) {
  const std::string draft = path + ".new";
  unlink(draft.c_str());
  const int file = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (file < 0) return Unwritable(path);
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       fsync(file) == 0;
  close(file);
  if (!written || std::rename(draft.c_str(), path.c_str()) != 0) return Unwritable(path);
  return Ok{};
}

}  // namespace

Status DataFolder::Prepare() const {
  const std::string keys = path_ + "/keys";
  if (mkdir(keys.c_str(), 0700) != 0 && errno != EEXIST) return Unwritable(keys);
  RemoveServerAddress();
  return Ok{};
}

bool DataFolder::HasOperatorKey() const { return access(operator_key().c_str(), F_OK) == 0; }

Status DataFolder::WriteOperatorKey(const std::string& secret) const {
  return WriteWhole(operator_key(), secret + "\n", 0600);
}

Status DataFolder::WriteServerAddress(const std::string& address) const {
  return WriteWhole(server_address(), address + "\n", 0644);
}

void DataFolder::RemoveServerAddress() const { unlink(server_address().c_str()); }

}  // namespace allot::allotd
