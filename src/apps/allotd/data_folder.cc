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

}  // namespace

Result<FileDraft> FileDraft::Open(const std::string& path, mode_t mode) {
  const std::string draft = path + ".new";
  unlink(draft.c_str());
  const int file = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (file < 0) return Unwritable(path);
  return FileDraft(path, file);
}

Status FileDraft::Complete(const std::string& text) {
  const bool written =
      write(file_, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      fsync(file_) == 0;
  if (!written || std::rename(draft().c_str(), path_.c_str()) != 0) return Unwritable(path_);
  close(std::exchange(file_, -1));
  return Ok{};
}

FileDraft::~FileDraft() {
  if (file_ < 0) return;
  close(file_);
  unlink(draft().c_str());
}

Status DataFolder::Prepare() const {
  const std::string keys = path_ + "/keys";
  if (mkdir(keys.c_str(), 0700) != 0 && errno != EEXIST) return Unwritable(keys);
  RemoveServerAddress();
  return Ok{};
}

Result<bool> DataFolder::HasOperatorKey() const {
  if (access(operator_key().c_str(), F_OK) == 0) return true;
  if (errno == ENOENT) return false;
  return StateError(Reason::kConfigInvalid,
                    "the data folder's " + operator_key() +
                        " cannot be seen: " + std::generic_category().message(errno));
}

Result<FileDraft> DataFolder::DraftOperatorKey() const {
  return FileDraft::Open(operator_key(), 0600);
}

Status DataFolder::WriteServerAddress(const std::string& address) const {
  ALLOT_ASSIGN_OR_RETURN(FileDraft draft, FileDraft::Open(server_address(), 0644));
  return draft.Complete(address + "\n");
}

void DataFolder::RemoveServerAddress() const { unlink(server_address().c_str()); }

}  // namespace allot::allotd
