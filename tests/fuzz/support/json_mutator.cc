#include "fuzz/support/json_mutator.h"

#include <array>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "fuzz/support/message_mutator.h"
#include "fuzz/support/property.h"

namespace allot::fuzz {
namespace {

// In the order of the file.
using Json = nlohmann::ordered_json;

Json& Child(Json& parent, Random& random) {
  auto child = parent.begin();
  std::advance(child, static_cast<std::ptrdiff_t>(Pick(random, parent.size())));
  return *child;
}

/// Any value, deep ones too.
Json& Somewhere(Json& document, Random& random) {
  Json* value = &document;
  while (value->is_structured() && !value->empty() && !OneIn(random, 12)) {
    value = &Child(*value, random);
  }
  return *value;
}

int64_t AnotherNumber(int64_t number, Random& random) {
  static constexpr std::array kNumbers = {int64_t{0},
                                          int64_t{1},
                                          int64_t{-1},
                                          int64_t{8},
                                          int64_t{255},
                                          int64_t{2'000'000},
                                          int64_t{86'400},
                                          int64_t{1} << 58,
                                          std::numeric_limits<int64_t>::max(),
                                          std::numeric_limits<int64_t>::min()};
  switch (Pick(random, 6)) {
    case 0:
      return kNumbers.at(Pick(random, kNumbers.size()));
    case 1:
      return number / 2;
    case 2:
      return static_cast<int64_t>(static_cast<uint64_t>(number) * 2);
    default:
      return static_cast<int64_t>(static_cast<uint64_t>(number) + Pick(random, 7) - 3);
  }
}

void MutateList(Json& list, Random& random) {
  const auto at = static_cast<std::ptrdiff_t>(Pick(random, list.size()));
  switch (Pick(random, 3)) {
    case 0:
      list.erase(list.begin() + at);
      return;
    case 1: {
      const Json copy = list[static_cast<std::size_t>(at)];
      list.insert(list.begin() + at, copy);
      return;
    }
    default:
      std::swap(list.front(), list[static_cast<std::size_t>(at)]);
  }
}

void MutateValue(Json& document, Random& random) {
  Json& value = Somewhere(document, random);
  if (OneIn(random, 4)) {
    // Of the same kind, or it would be refused at once.
    const Json other = Somewhere(document, random);
    if (other.type() == value.type()) value = other;
  } else if (value.is_number_integer()) {
    value = AnotherNumber(value.get<int64_t>(), random);
  } else if (value.is_boolean()) {
    value = !value.get<bool>();
  } else if (value.is_array() && !value.empty()) {
    MutateList(value, random);
  } else if (value.is_object() && !value.empty() && OneIn(random, 3)) {
    value.erase(std::next(value.begin(), static_cast<std::ptrdiff_t>(Pick(random, value.size()))));
  } else if (value.is_string()) {
    value = value.get<std::string>() + static_cast<char>('a' + Pick(random, 26));
  }
}

}  // namespace

std::size_t MutateJson(uint8_t* data, std::size_t size, std::size_t max_size, unsigned int seed) {
  Random random(seed);
  Json document;
  if (!OneIn(random, 20)) {
    // What is nested deeply would take as much of our own stack.
    const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth < 32; };
    document = Json::parse(TextOf(data, size), shallow, false);
  }
  if (!document.is_object()) return LLVMFuzzerMutate(data, size, max_size);
  for (std::size_t i = 1 + Pick(random, 3); i > 0; --i) MutateValue(document, random);
  const std::string written = document.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (written.size() > max_size) return size;
  std::memcpy(data, written.data(), written.size());
  return written.size();
}

}  // namespace allot::fuzz
