#include "store/postgres/conninfo.h"

#include <libpq-fe.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace allot::store {
namespace {

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

Options ReadOptions(const std::string& url) {
  char* problem = nullptr;
  Options options(PQconninfoParse(url.c_str(), &problem), &PQconninfoFree);
  // libpq's words about it may hold a password.
  PQfreemem(problem);
  return options;
}

Error Unusable() {
  return FieldError(Reason::kConfigInvalid, "--database", "what was given",
                    "a PostgreSQL URL, such as postgresql://allot@127.0.0.1/allot; in a password "
                    "write % as %25, @ as %40 and / as %2F");
}

/// libpq takes several, with commas.
bool ArePorts(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == ','; });
}

/// In the "key='value'" form.
std::string Quoted(std::string_view value) {
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '\'';
}

}  // namespace

Result<Conninfo> Conninfo::Parse(const std::string& url) {
  // libpq would take the database of this machine that has the user's name.
  if (url.find_first_not_of(' ') == std::string::npos) return Unusable();
  const Options options = ReadOptions(url);
  if (!options) return Unusable();
  Conninfo conninfo;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->envvar != nullptr) conninfo.variables_[option->keyword] = option->envvar;
    if (option->val != nullptr) conninfo.values_[option->keyword] = option->val;
  }
  const auto& values = conninfo.values_;
  const auto host = values.find("host");
  // As the first character it says that a socket has no file.
  if (host != values.end() && host->second.find('@', 1) != std::string::npos) return Unusable();
  const auto port = values.find("port");
  if (port != values.end() && !ArePorts(port->second)) return Unusable();
  return conninfo;
}

void Conninfo::Default(const std::string& keyword, const std::string& value) {
  values_.emplace(keyword, value);
}

std::string Conninfo::str() const {
  std::string text;
  for (const auto& [keyword, value] : values_) {
    if (!text.empty()) text += ' ';
    text += keyword + '=' + Quoted(value);
  }
  return text;
}

std::vector<std::string> Conninfo::Environment() const {
  std::vector<std::string> environment;
  const auto add = [&](const std::string& variable, const char* value) {
    if (value != nullptr) environment.push_back(variable + '=' + value);
  };
  for (const auto& [keyword, variable] : variables_) {
    const auto given = values_.find(keyword);
    // Nothing in this program sets a variable.
    add(variable, given != values_.end()
                      ? given->second.c_str()
                      : std::getenv(variable.c_str()));  // NOLINT(concurrency-mt-unsafe)
  }
  // Where .pgpass is.
  add("HOME", std::getenv("HOME"));  // NOLINT(concurrency-mt-unsafe)
  return environment;
}

}  // namespace allot::store
