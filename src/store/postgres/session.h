#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <pqxx/pqxx>
#include <set>
#include <string>
#include <vector>

#include "allot/store/scope.h"
#include "store/postgres/conninfo.h"
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

/// As whom a session acts, once it is logged in.
enum class Rights {
  /// As the login: whoever owns the schema, to bring it up or to look at its number.
  kOfTheLogin,
  /// As the role that every server acts as: it owns nothing, and sees what its scope lets it see.
  kOfAServer,
};

/// One connection to PostgreSQL, set up as every transaction of ours expects it.
class Session {
 public:
  /// Throws pqxx's exceptions, as all of it does.
  Session(const Conninfo& database, int connect_timeout_s, Rights rights);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  pqxx::connection& connection() { return connection_; }
  /// What the transactions that begin from now on can touch. Outside of any.
  void Enter(const Scope& scope);
  bool IsIn(const Scope& scope) const { return scope_ == scope; }
  pqxx::result Execute(pqxx::transaction_base& transaction, const Statement& statement,
                       const Arguments& arguments);

  /// While one lives, the database owes an answer. Longer than any statement may run there: who
  /// gives none by then hangs, was stopped, or waits for a standby that does not come.
  class Awaited {
   public:
    explicit Awaited(Session& session)
        : session_(session),
          outer_due_ms_(session.answer_due_ms_.exchange(SteadyMs() + session.patience_ms_)) {}
    ~Awaited() { session_.answer_due_ms_ = outer_due_ms_; }
    Awaited(const Awaited&) = delete;
    Awaited& operator=(const Awaited&) = delete;

   private:
    Session& session_;
    const int64_t outer_due_ms_;
  };
  /// Cuts the connection when an answer is overdue: whoever waits for it gets a broken connection.
  /// On any thread.
  void InterruptIfOverdue(int64_t now_ms) const;
  static int64_t SteadyMs();

  static constexpr int64_t kPatienceMs = 20'000;
  /// For what comes next on it, until it is set again.
  void SetPatience(int64_t ms) { patience_ms_ = ms; }

 private:
  static constexpr int64_t kNothingDue = std::numeric_limits<int64_t>::max();

  pqxx::connection connection_;
  pqxx::quiet_errorhandler quiet_;
  std::set<std::string> prepared_;
  /// Of a new session there is none, and it sees nothing.
  std::optional<Scope> scope_;
  /// Another descriptor of the connection's socket: libpq may close its own at any time, and its
  /// number may be another file's by the time it is interrupted.
  const int socket_;
  int64_t patience_ms_ = kPatienceMs;
  std::atomic<int64_t> answer_due_ms_ = kNothingDue;
};

}  // namespace allot::store
