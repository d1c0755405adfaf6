#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace allot::store {

/// Every PostgreSQL process at work in a data folder, whoever started it. They all change into the
/// folder, which tells them from a stranger that was given an old process id again.
std::vector<pid_t> PostgresProcessesIn(const std::string& data);

/// The first line of postmaster.pid, 0 without one; and whether its status says that connections
/// are accepted.
struct PostmasterFile {
  pid_t pid = 0;
  bool ready = false;
};
PostmasterFile ReadPostmasterFile(const std::string& data);

/// Ends whatever a dead owner left in the folder, and waits until it is gone: first the postmaster
/// with a fast shutdown, then what outlived its postmaster. Afterwards the folder is free to start
/// in: a postmaster.pid left behind by a crash is removed. Requires: the folder's lock.
/// False when something would not end.
bool EndLeftovers(const std::string& data, const std::string& socket_dir);

}  // namespace allot::store
