// Preloaded into PostgreSQL: while the file that FSYNC_FAILS names is there, the disk's answer to
// fsync is an error. libfiu would do, but its own preload ends PostgreSQL 15 at the start (signal
// 11).

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace {

int Sync(long number, int file) {
  // Nobody changes the environment of a program that this is preloaded into.
  const char* const sign = std::getenv("FSYNC_FAILS");  // NOLINT(concurrency-mt-unsafe)
  if (sign != nullptr && access(sign, F_OK) == 0) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(syscall(number, file));
}

}  // namespace

extern "C" int fsync(int file) { return Sync(SYS_fsync, file); }
extern "C" int fdatasync(int file) { return Sync(SYS_fdatasync, file); }
