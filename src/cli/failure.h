#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "allot/base/check.h"
#include "allot/base/result.h"

namespace allot::cli {

/// What the process ends with; documented in docs/cli.md and in `allot help exit-codes`.
enum class ExitCode : int {
  kOk = 0,
  kInternal = 1,     ///< a fault of the server or of this program
  kUsage = 2,        ///< the command line itself
  kInvalid = 3,      ///< a value or a file was refused; nothing changed
  kNotFound = 4,     ///< not there, not visible to this key, or not allowed
  kConflict = 5,     ///< exists otherwise, changed meanwhile, or not possible in its present state
  kUnavailable = 6,  ///< no server, too busy, or no answer in time: the outcome may be unknown
  kNotReached = 7,   ///< --wait: it ended otherwise, or did not get there in time
};

/// Why a command failed, in the parts that both people and programs read.
struct Failure {
  ExitCode exit_code = ExitCode::kInternal;
  /// The catalogue's name ("quota_exceeded"), or one of the client's own ("server_unreachable").
  std::string reason;
  std::string message;
  /// What was refused: its path, what was sent, what would have been accepted. Each may be empty.
  std::string field;
  std::string value;
  std::string limit;
  /// What can safely be done next.
  std::string advice;
  /// Of the call that failed, where it was a change: repeating with it is safe.
  std::string request_id;
  /// As the server's log names the call.
  std::string call_id;
  /// The flags that a repeat must have instead of those given, for the call to be the same.
  std::vector<std::string> repeat_with;
  /// As long as the server says to wait before a repeat.
  std::chrono::milliseconds retry_after{0};

  friend bool operator==(const Failure&, const Failure&) = default;
};

/// A value or why there is none.
template <class T>
class [[nodiscard]] Outcome {
 public:
  // Implicit, as in Result: a function returns either.
  // NOLINTNEXTLINE(google-explicit-constructor)
  Outcome(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  Outcome(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}

  bool ok() const { return state_.index() == 0; }
  const T& operator*() const& {
    ALLOT_CHECK(ok());
    return std::get<0>(state_);
  }
  T& operator*() & {
    ALLOT_CHECK(ok());
    return std::get<0>(state_);
  }
  T&& operator*() && {
    ALLOT_CHECK(ok());
    return std::get<0>(std::move(state_));
  }
  const T* operator->() const { return &**this; }
  T* operator->() { return &**this; }
  const Failure& failure() const {
    ALLOT_CHECK(!ok());
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Failure> state_;
};

/// From a refusal found on this side of the wire.
Failure FailureOf(const Error& error);
/// Of a call that may have changed something: how to repeat it without doing it twice.
Failure OfMutation(Failure failure, const std::string& request_id);
/// The command line does not say what to do.
Failure UsageFailure(std::string message, std::string advice = {});
/// From an answer: the parts come from its google.rpc.Status details; an answer without details is
/// the transport's own. `server` and `timeout` word those.
Failure FailureOf(const grpc::Status& status, const std::string& server,
                  const std::string& timeout);

/// Of one of several resources: named in front of the message.
Failure About(const std::string& resource, Failure failure);

/// For people: "error: reason: message", then field, value, limit and advice on lines of their own.
std::string DescribeForPeople(const Failure& failure);
/// {"error": {"reason": …}} on one line; empty parts are left out.
std::string DescribeAsJson(const Failure& failure);

}  // namespace allot::cli
