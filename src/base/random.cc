#include "allot/base/random.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string_view>

#include "allot/base/check.h"

namespace allot {
namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr unsigned kLetters = 26;

/// A byte below `bound` times a whole number is uniform over `bound`; the rest is thrown away.
constexpr unsigned RejectFrom(unsigned bound) { return 256 / bound * bound; }

}  // namespace

std::string SystemIdSource::Mint(int length) {
  ALLOT_CHECK(length > 0);
  const auto wanted = static_cast<std::size_t>(length);
  std::string id;
  id.reserve(wanted);
  // At most 256 bytes a call: the kernel then never returns a part and is never interrupted.
  std::array<unsigned char, 64> bytes;
  while (id.size() < wanted) {
    const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    ALLOT_CHECK(got == static_cast<ssize_t>(bytes.size()));
    for (const unsigned char byte : bytes) {
      if (id.size() == wanted) break;
      const unsigned bound = id.empty() ? kLetters : static_cast<unsigned>(kAlphabet.size());
      if (byte < RejectFrom(bound)) id.push_back(kAlphabet[byte % bound]);
    }
  }
  return id;
}

}  // namespace allot
