#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <pqxx/pqxx>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "allot/base/gpu_seconds.h"
#include "allot/base/id.h"
#include "allot/base/time.h"

namespace allot::store {

/// A row that the schema's own constraints should have refused.
struct UnexpectedRow : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// PostgreSQL's text ends at a zero byte, and would be cut there in silence.
struct UnstorableText : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// ---- Values as PostgreSQL reads them; nothing is NULL ------------------------------------------

using SqlValue = std::optional<std::string>;

inline SqlValue ToSql(std::string_view text) { return std::string(text); }
inline SqlValue ToSql(const std::string& text) { return ToSql(std::string_view(text)); }
inline SqlValue ToSql(const char* text) { return ToSql(std::string_view(text)); }
inline SqlValue ToSql(bool value) { return value ? "true" : "false"; }
template <std::integral T>
requires(!std::same_as<T, bool>) SqlValue ToSql(T value) { return std::to_string(value); }
/// In microseconds, for the function instant() of the schema.
inline SqlValue ToSql(Instant t) { return ToSql(t.micros); }
inline SqlValue ToSql(Seconds d) { return ToSql(d.count); }
inline SqlValue ToSql(GpuSeconds value) { return ToSql(value.count()); }
/// An empty id is NULL: "no cluster yet".
template <class Tag>
SqlValue ToSql(const Id<Tag>& id) {
  if (id.empty()) return std::nullopt;
  return ToSql(id.str());
}
/// An enumeration of the model, by its name.
template <class Enum>
requires std::is_enum_v<Enum> SqlValue ToSql(Enum value) { return ToSql(Name(value)); }
template <class T>
SqlValue ToSql(const std::optional<T>& value) {
  if (!value) return std::nullopt;
  return ToSql(*value);
}

void AppendToArray(std::string& literal, const SqlValue& element);

/// An array literal of one value of each item, for unnest(): `part` is a member or a function.
template <class Items, class Part>
std::string SqlArray(const Items& items, Part part) {
  std::string literal = "{";
  for (const auto& item : items) AppendToArray(literal, ToSql(std::invoke(part, item)));
  literal += '}';
  return literal;
}
template <class Items>
std::string SqlArray(const Items& items) {
  return SqlArray(items, std::identity{});
}

/// How the schema's text arrays are read: names never contain a line break.
inline constexpr char kListSeparator = '\n';
std::vector<std::string> SplitList(std::string_view text);

// ---- Rows
// ------------------------------------------------------------------------------------------

/// Reads a row's columns from left to right, in the order the statement names them.
class RowReader {
 public:
  explicit RowReader(const pqxx::row& row) : row_(row) {}

  std::string Text() { return std::string(View()); }
  int64_t Int64();
  int Int() { return static_cast<int>(Int64()); }
  bool Bool() { return View() == "t"; }
  Instant Time() { return {Int64()}; }
  std::optional<Instant> OptionalTime() {
    if (SkipNull()) return std::nullopt;
    return Time();
  }
  std::optional<int64_t> OptionalInt64() {
    if (SkipNull()) return std::nullopt;
    return Int64();
  }
  template <class Id>
  Id AsId() {
    if (SkipNull()) return Id();
    return Id(View());
  }
  template <class Parse>
  auto Named(Parse parse) {
    const std::string_view name = View();
    const auto value = parse(name);
    if (!value) throw UnexpectedRow("unknown name '" + std::string(name) + "'");
    return *value;
  }
  /// Whether the next column is NULL; steps over it if so.
  bool SkipNull();

 private:
  std::string_view View();

  const pqxx::row& row_;
  int next_ = 0;
};

}  // namespace allot::store
