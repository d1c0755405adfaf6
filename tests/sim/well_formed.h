#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace allot::sim {

/// What keeps a page of HTML from being well-formed XML, as far as our pages use it: tags that do
/// not balance, attributes without quotes, references that XML does not know, ids that are there
/// twice, bytes that are not plain UTF-8. Nothing when there is nothing.
std::optional<std::string> WhatIsMalformed(std::string_view page);

}  // namespace allot::sim
