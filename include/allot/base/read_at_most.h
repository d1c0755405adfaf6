#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <istream>
#include <string>

namespace allot {

/// What is left in a stream, or the first `most` bytes and one more: whoever names a file that has
/// no end is told so, and not out of memory.
inline std::string ReadAtMost(std::istream& stream, std::size_t most) {
  std::string text;
  std::array<char, 64 * 1024> block{};
  while (text.size() <= most && stream.good()) {
    const std::size_t wanted = std::min(block.size(), most + 1 - text.size());
    stream.read(block.data(), static_cast<std::streamsize>(wanted));
    text.append(block.data(), static_cast<std::size_t>(stream.gcount()));
  }
  return text;
}

}  // namespace allot
