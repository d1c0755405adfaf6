#include "transport/pem.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <system_error>
#include <utility>

namespace allot::transport {
namespace {

constexpr std::size_t kPemBytesMax = std::size_t{1} << 20;

}  // namespace

Error Refuse(const PemFile& file, const std::string& why, const std::string& expected) {
  return Error{Reason::kConfigInvalid, file.field, Printable(file.path), expected,
               file.field + ": " + Printable(file.path) + " " + why + ": expected " + expected};
}

Error RefuseOpenKey(const PemFile& file) {
  return Refuse(file, "may be read or written by everybody", "mode 0600 or 0640");
}

Result<Pem> ReadPem(const PemFile& file) {
  const std::string readable = "a file that this user can read";
  // Without waiting for a writer, should it be a pipe.
  const int fd = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    return Refuse(file, "cannot be read: " + std::generic_category().message(errno), readable);
  }
  struct stat about {};
  const bool plain = ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
  Pem pem{.text = std::string(kPemBytesMax + 1, '\0'), .open_to_all = (about.st_mode & 0007U) != 0};
  std::size_t size = 0;
  ssize_t count = 1;
  while (plain && count > 0 && size < pem.text.size()) {
    count = ::read(fd, pem.text.data() + size, pem.text.size() - size);
    if (count > 0) size += static_cast<std::size_t>(count);
  }
  ::close(fd);
  if (!plain || count < 0) return Refuse(file, "is not a plain file", readable);
  if (size > kPemBytesMax) return Refuse(file, "is larger than any certificate", "at most 1 MiB");
  pem.text.resize(size);
  return pem;
}

BioPtr Over(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

int NoPassphrase(char*, int, int, void*) { return 0; }

}  // namespace allot::transport
