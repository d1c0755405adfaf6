#include <algorithm>
#include <memory>

#include "cli/commands.h"
#include "cli/request_flags.h"
#include "cli/resource.h"
#include "cli/resource_name.h"
#include "cli/values.h"
#include "cli/views.h"
#include "cli/wait.h"

namespace allot::cli {
namespace {

/// As many as the server takes in one call.
constexpr int32_t kCountMax = 100;

struct SubmitFlags {
  std::string project;
  std::string name;
  std::string display_name;
  RequestFlags request;
  std::string after;
  std::string count;
  bool dry_run = false;
  WaitFlags wait;
  /// Nothing: active.
  std::string until;
};

/// One of the same project may be named by its last part alone.
Outcome<std::string> ReadAfter(const std::string& after, const std::string& project) {
  if (after.find('/') != std::string::npos) return AllocationName(after);
  return project + "/allocations/" + after;
}

/// "sweep-1" to "sweep-9", "sweep-01" to "sweep-20": they sort as they count.
std::string Numbered(const std::string& name, int number, int count) {
  const std::string digits = std::to_string(number);
  return name + "-" + std::string(std::to_string(count).size() - digits.size(), '0') + digits;
}

v1::BatchCreateAllocationsRequest Batch(const v1::CreateAllocationRequest& one, int count) {
  v1::BatchCreateAllocationsRequest batch;
  batch.set_parent(one.parent());
  batch.set_validate_only(one.validate_only());
  for (int i = 1; i <= count; ++i) {
    v1::CreateAllocationRequest& each = *batch.add_requests();
    *each.mutable_allocation() = one.allocation();
    if (!one.allocation_id().empty())
      each.set_allocation_id(Numbered(one.allocation_id(), i, count));
  }
  return batch;
}

std::vector<std::string> NamesIn(const v1::ListAllocationsResponse& made) {
  std::vector<std::string> names;
  for (const v1::Allocation& one : made.allocations()) names.push_back(one.name());
  return names;
}

/// What was made; as it is now.
Outcome<v1::ListAllocationsResponse> GetAll(Client& client,
                                            const v1::ListAllocationsResponse& made) {
  v1::ListAllocationsResponse now;
  for (const std::string& name : NamesIn(made)) {
    v1::GetAllocationRequest get;
    get.set_name(name);
    const auto one = client.Call(&Allocations::GetAllocation, get);
    if (!one.ok()) return one.failure();
    *now.add_allocations() = *one;
  }
  return now;
}

/// One as itself, many as a list of them.
void Show(Session& session, const SubmitFlags& flags, const v1::ListAllocationsResponse& made) {
  const Table table = AllocationTable(made.allocations(), session.Now());
  if (flags.count.empty()) {
    session.output().Show(made.allocations(0), table, NamesIn(made));
  } else {
    session.output().Show(made, table, NamesIn(made));
  }
}

Outcome<v1::ListAllocationsResponse> Send(Client& client, const SubmitFlags& flags,
                                          const v1::CreateAllocationRequest& create, int count) {
  v1::ListAllocationsResponse made;
  if (flags.count.empty()) {
    const auto created = client.Call(&Allocations::CreateAllocation, create);
    if (!created.ok()) return created.failure();
    *made.add_allocations() = *created;
    return made;
  }
  const auto created = client.Call(&Allocations::BatchCreateAllocations, Batch(create, count));
  if (!created.ok()) return created.failure();
  *made.mutable_allocations() = created->allocations();
  return made;
}

ExitCode Submit(Session& session, const SubmitFlags& flags) {
  auto request = ReadRequest(flags.request, session.moments(), "allot submit");
  if (!request.ok()) return session.Fail(request.failure());
  if (!flags.until.empty() && !flags.wait.wait) {
    return session.Fail(UsageFailure("--until says where --wait ends", "Add --wait."));
  }
  const auto goal = flags.until.empty() ? Goal::kActive : ParseGoal(flags.until);
  if (!goal) {
    return session.Fail(UsageFailure("--until takes planned, active or ended, not '" +
                                     Printable(flags.until) + "'"));
  }
  const auto wait_timeout = ParseWaitTimeout(flags.wait);
  if (!wait_timeout.ok()) return session.Fail(wait_timeout.failure());
  const auto project = ProjectName(flags.project);
  if (!project.ok()) return session.Fail(project.failure());
  if (!flags.after.empty()) {
    auto after = ReadAfter(flags.after, *project);
    if (!after.ok()) return session.Fail(after.failure());
    request->set_after(*std::move(after));
  }

  const auto count = flags.count.empty() ? Result<int32_t>(1)
                                         : ParseSmallCount("--count", flags.count,
                                                           Reason::kRequestTooLarge, 1, kCountMax);
  if (!count.ok()) return session.Fail(FailureOf(count.error()));

  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::CreateAllocationRequest create;
  create.set_parent(*project);
  create.set_allocation_id(flags.name);
  create.mutable_allocation()->set_display_name(flags.display_name);
  *create.mutable_allocation()->mutable_request() = *request;
  create.set_validate_only(flags.dry_run);
  const auto made = Send(**client, flags, create, *count);
  if (!made.ok()) return session.Fail(made.failure());
  if (flags.dry_run) {
    const bool has_start =
        std::any_of(made->allocations().begin(), made->allocations().end(),
                    [](const v1::Allocation& one) { return one.has_start_time(); });
    session.output().Note(has_start ? "dry run: nothing was submitted; it would be accepted, and "
                                      "start as shown behind all who wait now"
                                    : "dry run: it would be accepted; nothing was submitted");
  }
  if (!flags.wait.wait || flags.dry_run) {
    Show(session, flags, *made);
    return ExitCode::kOk;
  }

  // Whatever becomes of the waiting, it was submitted, and its name may be news.
  const auto fail = [&](const Failure& failure) {
    Show(session, flags, *made);
    return session.Fail(failure);
  };
  const auto waited = WaitFor(session, NamesIn(*made), *goal, *wait_timeout);
  if (!waited.ok()) return fail(waited.failure());
  const auto now = GetAll(**client, *made);
  if (!now.ok()) return fail(now.failure());
  Show(session, flags, *now);
  return *waited;
}

}  // namespace

void AddSubmitCommand(CLI::App& root, Action& chosen) {
  auto flags = std::make_shared<SubmitFlags>();
  CLI::App* submit = AddCommand(
      root, "submit", "Submits a request of a project; it waits until GPUs are free",
      "  allot submit snu/llm --name main --nodes 4 --models H200,B200 --for 7d\n"
      "  allot submit snu/llm --gpus 2 --for 4h --wait\n"
      "  allot submit snu/llm --nodes 2 --for 2w --start +3d --deadline 2026-06-01T00:00:00Z\n"
      "  allot submit snu/llm --name tune --gpus 8 --for 1d --after main\n"
      "  allot submit snu/llm --name sweep --count 20 --gpus 1 --for 6h\n"
      "  allot submit snu/llm --gpus 8 --for 1d --dry-run");
  submit->add_option("project", flags->project, "INSTITUTE/PROJECT")->required();
  submit->add_option("--name", flags->name, "Last part of its name; minted when left out");
  AddRequestFlags(*submit, flags->request)->required();
  submit->add_option(
      "--count", flags->count,
      "So many alike, 1 to 100, all or none; --name sweep makes sweep-1, sweep-2 ...");
  submit->add_option("--after", flags->after,
                     "Start when this allocation of the project has ended: main, or snu/llm/main");
  submit->add_option("--display-name", flags->display_name, "A title for people");
  submit->add_flag("--dry-run", flags->dry_run, "Check everything, change nothing");
  submit->add_flag("--wait", flags->wait.wait, "Follow it until it is active (see --until)");
  submit->add_option("--until", flags->until,
                     "Where --wait ends: planned, active (the default) or ended");
  submit->add_option("--wait-timeout", flags->wait.timeout, "Stop waiting after this long");
  submit->callback(
      [&chosen, flags] { chosen = [flags](Session& session) { return Submit(session, *flags); }; });
}

}  // namespace allot::cli
