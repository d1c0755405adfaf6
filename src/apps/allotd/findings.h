#pragma once

#include <ostream>

#include <nlohmann/json.hpp>

#include "allot/store/verify.h"

namespace allot::allotd {

/// Each check that found something, with the first rows by name.
void PrintFindings(const store::Verification& verification, std::ostream& out);
nlohmann::ordered_json FindingsAsJson(const store::Verification& verification);

}  // namespace allot::allotd
