#include "fuzz/support/property.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "allot/base/text.h"

namespace allot::fuzz {
namespace {

// Printable's bound of 128, and quotes around it; the others hold what the program itself writes,
// lists of names included.
constexpr std::size_t kValueBytesMax = 130;
constexpr std::size_t kFieldBytesMax = 400;
constexpr std::size_t kLimitBytesMax = 2'000;
constexpr std::size_t kMessageBytesMax = 3'000;

void RequireText(std::string_view text, std::size_t most, const char* what) {
  Require(text.size() <= most, std::string(what) + " is too long", text);
  Require(IsPlainText(text), std::string(what) + " is no plain text", text);
}

}  // namespace

void Require(bool holds, std::string_view what, std::string_view about) {
  if (holds) return;
  const std::string line = "property does not hold: " + std::string(what) +
                           (about.empty() ? "" : ": " + std::string(about)) + "\n";
  static_cast<void>(std::fwrite(line.data(), 1, line.size(), stderr));
  std::abort();
}

void RequireShowable(const Error& error) {
  Require(!Name(error.reason).empty(), "an error has a reason");
  Require(!error.message.empty(), "an error says something", Name(error.reason));
  RequireText(error.field, kFieldBytesMax, "the field of an error");
  RequireText(error.value, kValueBytesMax, "the value of an error");
  RequireText(error.limit, kLimitBytesMax, "the limit of an error");
  RequireText(error.message, kMessageBytesMax, "the message of an error");
}

void RequireOfField(const Error& error) {
  RequireShowable(error);
  Require(!error.field.empty(), "the error names a field", error.message);
  Require(!error.limit.empty(), "the error says what would be accepted", error.message);
}

}  // namespace allot::fuzz
