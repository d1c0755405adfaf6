#include "store/postgres/session.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>

namespace allot::store {
namespace {

std::string WithDefaults(Conninfo database, int connect_timeout_s) {
  database.Default("connect_timeout", std::to_string(connect_timeout_s));
  database.Default("application_name", "allot");
  // A primary that is cut off says nothing. Over a Unix socket these mean nothing.
  database.Default("keepalives_idle", "2");
  database.Default("keepalives_interval", "1");
  database.Default("keepalives_count", "3");
  database.Default("tcp_user_timeout", "5000");
  return database.str();
}

// Idle in a transaction: a server that hangs must not keep its rows, the leader's and the revision
// above all, from those who would take over: they are to lead within five seconds. Several of its
// transactions may wait for each other, and each has the rows for that long in its turn.
// A database that has less patience by itself keeps it.
// A statement ends here before whoever waits for its answer gives up (SessionPool).
// synchronous_commit: what was acknowledged is durable, whatever the database's default says.
// jit: a table of one row, read without a condition, counts as dear for want of the other way to
// read it, and compiling its statement would take a hundred times as long as running it.
// enable_seqscan: a prepared statement keeps the plan that was best when its tables were small,
// until somebody analyses them; each of ours has an index to go by.
constexpr char kSetUp[] =
    "SET timezone = 'UTC';"
    "SET client_min_messages = error;"
    "SET plan_cache_mode = force_generic_plan;"
    "SET enable_seqscan = off;"
    "SET jit = off;"
    "SET lock_timeout = '10s';"
    "SELECT set_config('statement_timeout', '15s', false)"
    " WHERE current_setting('statement_timeout')::interval NOT BETWEEN '1ms' AND '15s';"
    "SELECT set_config('idle_in_transaction_session_timeout', '1s', false)"
    " WHERE current_setting('idle_in_transaction_session_timeout')::interval"
    " NOT BETWEEN '1ms' AND '1s';"
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply');";

constexpr char kActAsServer[] = "SET ROLE allot_server;";

// For the session, not for a transaction: one that was rolled back, or never began, must not leave
// behind what the one before it could see. What a session is set to is told by its owner alone.
const Statement kEnterScope{"enter_scope",
                            "SELECT set_config('allot.everything', $1, false),"
                            " set_config('allot.institutes', $2, false),"
                            " set_config('allot.keys', $3, false),"
                            " set_config('allot.provider', $4, false)"};

}  // namespace

std::vector<const char*> Arguments::pointers() const {
  std::vector<const char*> pointers;
  pointers.reserve(values_.size());
  for (const SqlValue& value : values_) {
    if (value && value->find('\0') != std::string::npos) {
      throw UnstorableText("a text with a zero byte");
    }
    pointers.push_back(value ? value->c_str() : nullptr);
  }
  return pointers;
}

Session::Session(const Conninfo& database, int connect_timeout_s, Rights rights)
    : connection_(WithDefaults(database, connect_timeout_s)),
      quiet_(connection_),
      socket_(::fcntl(connection_.sock(), F_DUPFD_CLOEXEC, 0)) {
  // A connection that comes back by itself would come back without what is set here. libpqxx calls
  // this deprecated because later versions never do that; this one still does.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  connection_.inhibit_reactivation(true);
#pragma GCC diagnostic pop
  pqxx::nontransaction set_up(connection_);
  set_up.exec(kSetUp);
  if (rights == Rights::kOfAServer) set_up.exec(kActAsServer);
}

Session::~Session() { ::close(socket_); }

void Session::Enter(const Scope& scope) {
  if (scope_ == scope) return;
  // If this fails half-way nobody knows what was set.
  scope_.reset();
  pqxx::nontransaction setting(connection_);
  Execute(setting, kEnterScope,
          Arguments(scope.everything() ? "on" : "off", SqlArray(scope.institutes()),
                    SqlArray(scope.keys()), scope.provider().str()));
  scope_ = scope;
}

int64_t Session::SteadyMs() {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  return duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Session::InterruptIfOverdue(int64_t now_ms) const {
  if (now_ms >= answer_due_ms_) ::shutdown(socket_, SHUT_RDWR);
}

pqxx::result Session::Execute(pqxx::transaction_base& transaction, const Statement& statement,
                              const Arguments& arguments) {
  const Awaited awaited(*this);
  if (prepared_.insert(statement.name).second) {
    connection_.prepare(statement.name, statement.sql);
  }
  return transaction.exec_prepared(statement.name,
                                   pqxx::prepare::make_dynamic_params(arguments.pointers()));
}

}  // namespace allot::store
