#include "cli/session.h"

#include "cli/values.h"

namespace allot::cli {

Outcome<std::unique_ptr<Session>> Session::Make(const Environment& environment,
                                                const GlobalFlags& flags) {
  const auto format = ParseFormat(flags.format);
  if (!format) {
    return UsageFailure("-o takes table, wide, json, yaml or name, not '" +
                        Printable(flags.format) + "'");
  }
  const auto timeout = ParseLength("--timeout", flags.timeout);
  if (!timeout.ok() || *timeout < Seconds{1} || *timeout > Hours(1)) {
    return UsageFailure("--timeout takes 1s to 1h, not '" + Printable(flags.timeout) + "'");
  }
  const CallPolicy policy{.timeout_ms = timeout->count * 1'000};
  return std::unique_ptr<Session>(new Session(environment, flags, *format, policy));
}

Outcome<Client*> Session::Connect() {
  if (client_ == nullptr) {
    auto connection = FindConnection(flags_.connection, environment_);
    if (!connection.ok()) return connection.failure();
    client_ = std::make_unique<Client>(std::move(*connection), policy_, environment_.ids);
    client_->set_request_id(flags_.request_id);
  }
  return client_.get();
}

bool Session::RenewKey() {
  const auto connection = FindConnection(flags_.connection, environment_);
  return connection.ok() && client_ != nullptr && client_->UseKey(connection->key);
}

ExitCode Session::Fail(const Failure& failure) const {
  output_.Show(failure);
  return failure.exit_code;
}

}  // namespace allot::cli
