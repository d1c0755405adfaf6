#include "store/postgres/sql_text.h"

#include <charconv>

namespace allot::store {

void AppendToArray(std::string& literal, const SqlValue& element) {
  if (literal.size() > 1) literal += ',';
  if (!element) {
    literal += "NULL";
    return;
  }
  literal += '"';
  for (const char c : *element) {
    if (c == '"' || c == '\\') literal += '\\';
    literal += c;
  }
  literal += '"';
}

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const std::size_t end = text.find(kListSeparator);
    items.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return items;
}

bool RowReader::SkipNull() {
  if (!row_[next_].is_null()) return false;
  ++next_;
  return true;
}

std::string_view RowReader::View() {
  const pqxx::field field = row_[next_++];
  if (field.is_null()) throw UnexpectedRow(std::string("NULL in ") + field.name());
  return {field.c_str(), field.size()};
}

int64_t RowReader::Int64() {
  const std::string_view text = View();
  int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) {
    throw UnexpectedRow("'" + std::string(text) + "' is not a whole number");
  }
  return value;
}

}  // namespace allot::store
