#pragma once

#include <cstddef>
#include <cstdint>

namespace allot::fuzz {

/// libFuzzer's custom mutator for JSON: mostly changes one value of the document somewhere (another
/// number, a row twice or gone, a value from elsewhere in it), sometimes bytes. What is no JSON is
/// changed byte by byte.
std::size_t MutateJson(uint8_t* data, std::size_t size, std::size_t max_size, unsigned int seed);

}  // namespace allot::fuzz
