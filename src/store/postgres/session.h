#pragma once

#include <memory>
#include <pqxx/pqxx>
#include <set>
#include <string>
#include <vector>

#include "store/postgres/sql_text.h"

namespace allot::store {

/// SQL with a name, prepared on a connection when it is first used there. The name must be unique.
struct Statement {
  const char* name;
  std::string sql;
};

/// The arguments of a statement, in its order.
class Arguments {
 public:
  Arguments() = default;
  template <class... Values>
  explicit Arguments(const Values&... values) {
    (Add(values), ...);
  }
  template <class Value>
  Arguments& Add(const Value& value) {
    values_.push_back(ToSql(value));
    return *this;
  }
  /// The number of the last one added, as statements made piece by piece name it ("$3").
  std::string last() const { return "$" + std::to_string(values_.size()); }
  /// Valid as long as the arguments are. Throws UnstorableText.
  std::vector<const char*> pointers() const;

 private:
  std::vector<SqlValue> values_;
};

/// One connection to PostgreSQL, set up as every transaction of ours expects it.
class Session {
 public:
  /// Throws pqxx's exceptions, as all of it does.
  Session(const std::string& url, int connect_timeout_s);

  pqxx::connection& connection() { return connection_; }
  pqxx::result Execute(pqxx::transaction_base& transaction, const Statement& statement,
                       const Arguments& arguments);

 private:
  pqxx::connection connection_;
  pqxx::quiet_errorhandler quiet_;
  std::set<std::string> prepared_;
};

}  // namespace allot::store
