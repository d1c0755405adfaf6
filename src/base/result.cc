#include "allot/base/result.h"

#include <cstddef>

#include "allot/base/text.h"

namespace allot {
namespace {

constexpr std::size_t kPrintableBytesMax = 128;
constexpr std::string_view kCut = "…";

void AppendEscaped(std::string_view bytes, std::string& out) {
  for (const char& c : bytes) out += "\\x" + Hex({&c, 1});
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string out;
  // Where to cut so that the mark still fits, should the rest turn out too long.
  std::size_t cut_at = 0;
  while (!text.empty()) {
    const auto character = FirstCharacter(text);
    const std::size_t taken = character ? character->bytes : 1;
    if (character && !IsControl(character->code_point)) {
      out += text.substr(0, taken);
    } else {
      AppendEscaped(text.substr(0, taken), out);
    }
    if (out.size() > kPrintableBytesMax) return out.substr(0, cut_at).append(kCut);
    if (out.size() <= kPrintableBytesMax - kCut.size()) cut_at = out.size();
    text.remove_prefix(taken);
  }
  return out;
}

Error FieldError(Reason reason, std::string field, std::string_view value, std::string limit) {
  std::string printable = Printable(value);
  std::string message = field;
  if (printable.empty()) {
    message += reason == Reason::kFieldRequired ? " is missing" : " is empty";
  } else {
    message += ' ' + printable + " is not allowed";
  }
  message += ": expected " + limit;
  return {reason, std::move(field), std::move(printable), std::move(limit), std::move(message)};
}

Error StateError(Reason reason, std::string message) {
  return {reason, {}, {}, {}, std::move(message)};
}

std::string Describe(const Error& error) {
  return std::string(Name(error.reason)) + ": " + error.message;
}

}  // namespace allot
