#include "allot/base/reason.h"

#include <array>
#include <cstddef>

#include "allot/base/check.h"

namespace allot {
namespace {

struct Entry {
  Reason reason;
  std::string_view name;
  Code code;
  std::string_view advice;
};

constexpr std::array kCatalogue = {
#define ALLOT_REASON(name, text, code, advice) Entry{Reason::name, text, Code::code, advice},
#include "allot/base/reasons.def"
#undef ALLOT_REASON
};

const Entry& EntryOf(Reason reason) {
  const auto index = static_cast<std::size_t>(reason);
  ALLOT_CHECK(index < kCatalogue.size());
  return kCatalogue[index];
}

}  // namespace

std::string_view Name(Reason reason) { return EntryOf(reason).name; }

std::optional<Reason> ParseReason(std::string_view name) {
  for (const Entry& entry : kCatalogue) {
    if (entry.name == name) return entry.reason;
  }
  return std::nullopt;
}

Code CodeOf(Reason reason) { return EntryOf(reason).code; }

std::string_view Advice(Reason reason) { return EntryOf(reason).advice; }

}  // namespace allot
