#pragma once

#include <cstddef>

namespace allot::scheduler {

/// Rows of a snapshot, nodes of a calendar and slots are counted in ints; containers want
/// std::size_t.
template <class T>
decltype(auto) At(T& values, int position) {
  return values[static_cast<std::size_t>(position)];
}

inline bool Within(int position, std::size_t size) {
  return position >= 0 && static_cast<std::size_t>(position) < size;
}

}  // namespace allot::scheduler
