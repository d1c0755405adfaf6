#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "allot/base/check.h"
#include "allot/base/reason.h"

namespace allot {

/// Why something was refused. Safe to show to the caller as it is: it never carries another
/// tenant's names nor the database's words.
struct Error {
  Reason reason;
  /// What the caller sent, by its path in the request ("allocation.request.duration"); may be
  /// empty.
  std::string field;
  /// As sent, cut to 128 bytes of printable text.
  std::string value;
  /// What would have been accepted ("1 to 8").
  std::string limit;
  /// One sentence in plain English, without the reason's name.
  std::string message;

  friend bool operator==(const Error&, const Error&) = default;
};

/// A field that does not hold what it must. The message is made from the parts:
/// "<field> <value> is not allowed: expected <limit>"; of an empty value that it is missing or
/// empty.
Error FieldError(Reason reason, std::string field, std::string_view value, std::string limit);
/// For refusals that are not about one field.
Error StateError(Reason reason, std::string message);
/// "reason: message", as logs and the CLI print it.
std::string Describe(const Error& error);
/// Printable, at most 128 bytes, control characters and bytes that are not UTF-8 as \xNN.
std::string Printable(std::string_view text);

/// A value or the reason why there is none. Must be looked at.
template <class T>
class [[nodiscard]] Result {
 public:
  // Implicit, so that a function returns either as it is.
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  const T& value() const& {
    ALLOT_CHECK(ok());
    return std::get<0>(state_);
  }
  T& value() & {
    ALLOT_CHECK(ok());
    return std::get<0>(state_);
  }
  T&& value() && {
    ALLOT_CHECK(ok());
    return std::get<0>(std::move(state_));
  }
  const Error& error() const {
    ALLOT_CHECK(!ok());
    return std::get<1>(state_);
  }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

 private:
  std::variant<T, Error> state_;
};

/// Success without a value.
struct Ok {
  friend bool operator==(Ok, Ok) = default;
};
using Status = Result<Ok>;

}  // namespace allot

/// Leaves the function with the error of `expression`, a Result, if it has one.
#define ALLOT_RETURN_IF_ERROR(expression)                         \
  do {                                                            \
    if (auto allot_result_ = (expression); !allot_result_.ok()) { \
      return allot_result_.error();                               \
    }                                                             \
  } while (false)

#define ALLOT_CONCAT_INNER_(a, b) a##b
#define ALLOT_CONCAT_(a, b) ALLOT_CONCAT_INNER_(a, b)
/// `ALLOT_ASSIGN_OR_RETURN(auto x, F());`
#define ALLOT_ASSIGN_OR_RETURN(declaration, expression) \
  ALLOT_ASSIGN_OR_RETURN_(ALLOT_CONCAT_(allot_result_, __LINE__), declaration, expression)
#define ALLOT_ASSIGN_OR_RETURN_(name, declaration, expression) \
  auto name = (expression);                                    \
  if (!name.ok()) return name.error();                         \
  declaration = std::move(name).value()
