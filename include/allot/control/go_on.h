#pragma once

#include <functional>

namespace allot::control {

/// What is done in several transactions asks before each but the first whether it goes on: the
/// lead was renewed, and there is time. What is left is found again at the next turn.
using GoOn = std::function<bool()>;
inline bool ToTheEnd() { return true; }

}  // namespace allot::control
