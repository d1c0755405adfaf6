#include <memory>

#include "cli/commands.h"
#include "cli/resource_name.h"
#include "cli/views.h"
#include "cli/wait.h"

namespace allot::cli {
namespace {

struct EndFlags {
  std::vector<std::string> names;
  std::string reason;
  std::string etag;
  WaitFlags wait;
};

void Show(Session& session, const EndFlags& flags, const v1::ListAllocationsResponse& ended) {
  if (ended.allocations_size() == 0) return;
  const Table table = AllocationTable(ended.allocations(), session.Now());
  if (flags.names.size() == 1) {
    session.output().Show(ended.allocations(0), table, NamesOf(ended.allocations()));
  } else {
    session.output().Show(ended, table, NamesOf(ended.allocations()));
  }
}

/// Those that were ended, as they are when the waiting is over. Its exit code.
Outcome<ExitCode> Await(Session& session, Client& client, Goal goal, std::optional<Seconds> timeout,
                        v1::ListAllocationsResponse& ended) {
  auto waited = WaitFor(session, NamesOf(ended.allocations()), goal, timeout);
  if (!waited.ok()) return waited;
  for (v1::Allocation& allocation : *ended.mutable_allocations()) {
    v1::GetAllocationRequest get;
    get.set_name(allocation.name());
    auto now = client.Call(&Allocations::GetAllocation, get);
    if (!now.ok()) return now.failure();
    allocation = *std::move(now);
  }
  return waited;
}

/// Sends each; goes on after one that was refused, and ends with the first refusal's exit code.
template <class Service, class Request>
ExitCode End(Session& session, const EndFlags& flags,
             Method<Service, Request, v1::Allocation> method, Goal goal) {
  const auto wait_timeout = ParseWaitTimeout(flags.wait);
  if (!wait_timeout.ok()) return session.Fail(wait_timeout.failure());
  if (!flags.etag.empty() && flags.names.size() > 1) {
    return session.Fail(UsageFailure("an --etag is of one allocation, and several are named"));
  }
  if (session.has_request_id() && flags.names.size() > 1) {
    return session.Fail(UsageFailure("a --request-id is of one call, and several are named",
                                     "Repeat one at a time, each with its own."));
  }
  std::vector<std::string> names;
  for (const std::string& text : flags.names) {
    const auto name = AllocationName(text);
    if (!name.ok()) return session.Fail(name.failure());
    names.push_back(*name);
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());

  ExitCode code = ExitCode::kOk;
  v1::ListAllocationsResponse ended;
  for (const std::string& name : names) {
    Request request;
    request.set_name(name);
    request.set_reason(flags.reason);
    request.set_etag(flags.etag);
    const auto allocation = (*client)->Call(method, request);
    if (allocation.ok()) {
      *ended.add_allocations() = *allocation;
      continue;
    }
    const Failure failure =
        names.size() == 1 ? allocation.failure() : About(ShortName(name), allocation.failure());
    if (const ExitCode failed = session.Fail(failure); code == ExitCode::kOk) code = failed;
  }
  if (flags.wait.wait && ended.allocations_size() > 0) {
    const auto waited = Await(session, **client, goal, *wait_timeout, ended);
    // Whatever becomes of the waiting, these were ended.
    Show(session, flags, ended);
    if (!waited.ok()) return session.Fail(waited.failure());
    return code == ExitCode::kOk ? *waited : code;
  }
  Show(session, flags, ended);
  return code;
}

void AddEndFlags(CLI::App& command, EndFlags& flags) {
  command.add_option("allocation", flags.names, "INSTITUTE/PROJECT/ALLOCATION")->required();
  command.add_option("--reason", flags.reason,
                     "Shown with it and kept in the audit; operators must give one");
  command.add_option("--etag", flags.etag, "Refuse if it has changed since (of one allocation)");
}

void AddWaitFlags(CLI::App& command, EndFlags& flags, const std::string& wait_help) {
  command.add_flag("--wait", flags.wait.wait, wait_help);
  command.add_option("--wait-timeout", flags.wait.timeout, "Stop waiting after this long");
}

}  // namespace

void AddEndCommands(CLI::App& root, Action& chosen) {
  auto cancel_flags = std::make_shared<EndFlags>();
  CLI::App* cancel =
      AddCommand(root, "cancel", "Withdraws allocations that wait or are being provisioned",
                 "  allot cancel snu/llm/main --reason \"no longer needed\"\n"
                 "  allot cancel snu/llm/a snu/llm/b --wait");
  AddEndFlags(*cancel, *cancel_flags);
  AddWaitFlags(*cancel, *cancel_flags, "Follow them until they are cancelled");
  cancel->callback([&chosen, cancel_flags] {
    chosen = [cancel_flags](Session& session) {
      return End<Allocations, v1::CancelAllocationRequest>(
          session, *cancel_flags, &Allocations::CancelAllocation, Goal::kCancelled);
    };
  });

  auto release_flags = std::make_shared<EndFlags>();
  CLI::App* release =
      AddCommand(root, "release", "Hands the GPUs of active allocations back early",
                 "  allot release snu/llm/main --reason \"training finished\" --wait");
  AddEndFlags(*release, *release_flags);
  AddWaitFlags(*release, *release_flags, "Follow them until the provider has the GPUs back");
  release->callback([&chosen, release_flags] {
    chosen = [release_flags](Session& session) {
      return End<Allocations, v1::ReleaseAllocationRequest>(
          session, *release_flags, &Allocations::ReleaseAllocation, Goal::kEnded);
    };
  });

  auto reject_flags = std::make_shared<EndFlags>();
  CLI::App* reject =
      AddCommand(root, "reject", "Turns waiting allocations down for good (operators)",
                 "  allot reject snu/llm/main --reason \"the call it belongs to was withdrawn\"");
  AddEndFlags(*reject, *reject_flags);
  reject->get_option("--reason")->required();
  reject->callback([&chosen, reject_flags] {
    chosen = [reject_flags](Session& session) {
      return End<Operators, v1::RejectAllocationRequest>(
          session, *reject_flags, &Operators::RejectAllocation, Goal::kEnded);
    };
  });
}

}  // namespace allot::cli
