#include "cli/session.h"

#include <utility>

#include "allot/base/text.h"

namespace allot::cli {
namespace {

/// Whether the same call is to be made again: it waits for a second person, or nobody knows.
bool AsksForTheSame(const Failure& failure) {
  return failure.reason == "second_person_required" || failure.reason == "store_conflict" ||
         failure.exit_code == ExitCode::kUnavailable || failure.exit_code == ExitCode::kInternal;
}

/// With the times that this run sent: the same words would mean others by then.
Failure Repeatable(Failure failure, const std::vector<std::string>& moments) {
  if (failure.request_id.empty() || moments.empty()) return failure;
  if (failure.reason == "request_id_reused") {
    failure.advice =
        "A time that counts from now makes another call of it with every run: repeat with the "
        "times that the first error printed. With a new id it would happen twice.";
  } else if (AsksForTheSame(failure)) {
    failure.repeat_with = moments;
    if (failure.reason != "second_person_required") {
      failure.repeat_with.insert(failure.repeat_with.begin(), {"--request-id", failure.request_id});
    }
  }
  return failure;
}

}  // namespace

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
    client_ = std::make_unique<Client>(std::move(*connection), policy_, environment_.ids, random_);
    client_->set_request_id(flags_.request_id);
    client_->set_renew_key([this] { return RenewKey(); });
    client_->set_on_trouble([this](const Failure& failure) {
      // Programs get one answer, people get told why it takes so long.
      if (!output_.for_people() || std::exchange(trouble_told_, true)) return;
      output_.Note(failure.message + "; trying again, for " + flags_.timeout + " in all");
    });
  }
  return client_.get();
}

bool Session::RenewKey() {
  const auto connection = FindConnection(flags_.connection, environment_);
  return connection.ok() && client_ != nullptr && client_->UseKey(connection->key);
}

ExitCode Session::Fail(const Failure& failure) const {
  output_.Show(Repeatable(failure, moments_.kept()));
  return failure.exit_code;
}

}  // namespace allot::cli
