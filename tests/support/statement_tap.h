#pragma once

#include <memory>
#include <string>
#include <vector>

namespace allot::testing {

/// Stands between a store and its PostgreSQL on a Unix socket, and notes what the store asks for,
/// in order: the name of each prepared statement that is run, the text of each other query. So a
/// test sees by how many steps, and by which, something was answered; wall time would tell less,
/// and differ from run to run.
class StatementTap {
 public:
  /// `url`: of a database on a Unix socket. Listens when it returns.
  explicit StatementTap(const std::string& url);
  /// Ends the connections that go through it.
  ~StatementTap();
  StatementTap(const StatementTap&) = delete;
  StatementTap& operator=(const StatementTap&) = delete;

  /// The same database, through the tap.
  const std::string& url() const;
  /// What was asked for since the last call. Without who a connection is told that it works for:
  /// that depends on whose call it served before, not on what is asked.
  std::vector<std::string> Take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace allot::testing
