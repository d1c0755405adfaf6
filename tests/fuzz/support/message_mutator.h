#pragma once

#include <google/protobuf/message.h>

#include <random>
#include <span>
#include <string>

namespace allot::fuzz {

using Random = std::minstd_rand;

/// One of `count` > 0.
inline std::size_t Pick(Random& random, std::size_t count) { return random() % count; }
inline bool OneIn(Random& random, std::size_t count) { return Pick(random, count) == 0; }

/// Changes one thing somewhere in a message: sets a field, clears it, adds, repeats or removes one
/// of a list. Texts come from `words` or are changed byte by byte, numbers are mostly at a bound.
void Mutate(google::protobuf::Message& message, std::span<const std::string> words, Random& random);

}  // namespace allot::fuzz

/// libFuzzer's own way of changing bytes: in place, to at most `max_size`; answers the new size.
extern "C" std::size_t LLVMFuzzerMutate(uint8_t* data, std::size_t size, std::size_t max_size);
