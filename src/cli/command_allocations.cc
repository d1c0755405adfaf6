#include <algorithm>
#include <limits>
#include <memory>

#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/listing.h"
#include "cli/place.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/values.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

/// The parent of a list or a watch: everything, an institute, or a project.
Outcome<std::string> ScopeOf(const std::string& text) {
  if (text.empty()) return std::string("institutes/-/projects/-");
  const std::size_t slashes = static_cast<std::size_t>(std::count(text.begin(), text.end(), '/'));
  const bool institute = slashes == 0 || (slashes == 1 && text.starts_with("institutes/"));
  if (!institute) return ProjectName(text);
  const auto name = InstituteName(text);
  if (!name.ok()) return name.failure();
  return *name + "/projects/-";
}

Outcome<std::vector<v1::Allocation::State>> ParseStates(const std::string& text) {
  std::vector<v1::Allocation::State> states;
  if (text.empty()) return states;
  for (const std::string& word : Split(text, ',')) {
    std::string name = "STATE_" + word;
    for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    v1::Allocation::State state{};
    if (!v1::Allocation::State_Parse(name, &state) || state == v1::Allocation::STATE_UNSPECIFIED) {
      return FailureOf(FieldError(Reason::kEnumUnknown, "--state", Printable(word),
                                  "pending, planned, provisioning, active, releasing, completed, "
                                  "rejected, cancelled, expired, preempted or failed"));
    }
    states.push_back(state);
  }
  return states;
}

struct ListFlags {
  std::string scope;
  std::string states;
  std::string cluster;
  int64_t limit = 0;
};

ExitCode List(Session& session, const ListFlags& flags) {
  const auto scope = ScopeOf(flags.scope);
  if (!scope.ok()) return session.Fail(scope.failure());
  const auto states = ParseStates(flags.states);
  if (!states.ok()) return session.Fail(states.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::ListAllocationsRequest request;
  request.set_parent(*scope);
  for (const auto state : *states) request.add_states(state);
  if (!flags.cluster.empty()) {
    const auto cluster = FindCluster(**client, flags.cluster);
    if (!cluster.ok()) return session.Fail(cluster.failure());
    request.set_cluster(*cluster);
  }
  const int64_t limit = flags.limit > 0 ? flags.limit : std::numeric_limits<int64_t>::max();
  const auto answer = ListAll(
      **client, &Allocations::ListAllocations, request,
      [](const auto& page) { return page.allocations_size(); }, limit);
  if (!answer.ok()) return session.Fail(answer.failure());
  session.output().Show(*answer, AllocationTable(answer->allocations(), session.Now()),
                        NamesOf(answer->allocations()));
  return ExitCode::kOk;
}

ExitCode GetAllocations(Session& session, const std::vector<std::string>& names) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::ListAllocationsResponse all;
  for (const std::string& text : names) {
    const auto name = AllocationName(text);
    if (!name.ok()) return session.Fail(name.failure());
    v1::GetAllocationRequest request;
    request.set_name(*name);
    auto allocation = (*client)->Call(&Allocations::GetAllocation, request);
    if (!allocation.ok()) {
      return session.Fail(names.size() == 1 ? allocation.failure()
                                            : About(ShortName(*name), allocation.failure()));
    }
    *all.add_allocations() = std::move(*allocation);
  }
  const Instant now = session.Now();
  if (all.allocations_size() == 1) {
    const v1::Allocation& one = all.allocations(0);
    session.output().Show(one, AllocationDetails(one, now, session.output().colours()),
                          {one.name()});
  } else {
    session.output().Show(all, AllocationTable(all.allocations(), now), NamesOf(all.allocations()));
  }
  return ExitCode::kOk;
}

struct WatchFlags {
  std::string scope;
  std::string from;
  int64_t count = 0;
};

ExitCode Watch(Session& session, const WatchFlags& flags) {
  // An allocation is watched through its project.
  const bool one = std::count(flags.scope.begin(), flags.scope.end(), '/') ==
                   (flags.scope.starts_with("institutes/") ? 5 : 2);
  std::string only;
  if (one) {
    const auto name = AllocationName(flags.scope);
    if (!name.ok()) return session.Fail(name.failure());
    only = *name;
  }
  const auto scope = one ? Outcome<std::string>(ParentOf(only)) : ScopeOf(flags.scope);
  if (!scope.ok()) return session.Fail(scope.failure());
  v1::WatchAllocationsRequest request;
  request.set_parent(*scope);
  if (!flags.from.empty()) {
    const auto revision = ParseCount("--from-revision", flags.from, Reason::kRevisionOutOfRange, 0,
                                     std::numeric_limits<int64_t>::max());
    if (!revision.ok()) return session.Fail(FailureOf(revision.error()));
    request.set_after_revision(*revision);
  }

  int64_t seen = 0;
  FollowHooks hooks;
  hooks.on_begin = [&session]() -> Outcome<Follow> {
    session.output().Note("watching");
    return Follow::kOn;
  };
  hooks.on_change = [&](const v1::AllocationChange& change) {
    if (!only.empty() && change.allocation().name() != only) return Follow::kOn;
    session.output().ShowNext(change, ChangeLine(change, session.Now(), session.output().colours()),
                              change.allocation().name());
    // Nobody reads on: a full disk, or a pipe that was closed.
    if (!session.environment().out.good()) return Follow::kStop;
    return ++seen == flags.count ? Follow::kStop : Follow::kOn;
  };
  const auto followed = FollowAllocations(session, request, std::nullopt, hooks);
  return followed.ok() ? ExitCode::kOk : session.Fail(followed.failure());
}

ExitCode Explain(Session& session, const std::string& text) {
  const auto name = AllocationName(text);
  if (!name.ok()) return session.Fail(name.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::ExplainAllocationRequest request;
  request.set_name(*name);
  const auto explanation = (*client)->Call(&Allocations::ExplainAllocation, request);
  if (!explanation.ok()) return session.Fail(explanation.failure());
  session.output().Show(*explanation,
                        ExplanationText(*explanation, session.Now(), session.output().colours()),
                        {explanation->allocation().name()});
  return ExitCode::kOk;
}

}  // namespace

void AddAllocationCommands(CLI::App& root, Action& chosen) {
  auto list_flags = std::make_shared<ListFlags>();
  CLI::App* list = AddCommand(root, "list", "Lists allocations",
                              "  allot list\n"
                              "  allot list snu --state pending,planned\n"
                              "  allot list snu/llm -o wide\n"
                              "  allot list --cluster naver-a --state active -o name");
  list->add_option("scope", list_flags->scope, "INSTITUTE or INSTITUTE/PROJECT (all you may see)");
  list->add_option("--state", list_flags->states, "Only these, with commas between");
  list->add_option("--cluster", list_flags->cluster, "Only those planned or running there");
  list->add_option("--limit", list_flags->limit, "At most so many")->check(AtLeastOne());
  list->callback([&chosen, list_flags] {
    chosen = [list_flags](Session& session) { return List(session, *list_flags); };
  });

  auto names = std::make_shared<std::vector<std::string>>();
  CLI::App* get = AddCommand(root, "get", "Shows allocations with all particulars",
                             "  allot get snu/llm/main\n"
                             "  allot get institutes/snu/projects/llm/allocations/main -o yaml");
  get->add_option("allocation", *names, "INSTITUTE/PROJECT/ALLOCATION")->required();
  get->callback([&chosen, names] {
    chosen = [names](Session& session) { return GetAllocations(session, *names); };
  });

  auto watch_flags = std::make_shared<WatchFlags>();
  CLI::App* watch = AddCommand(root, "watch", "Prints changes of allocations as they happen",
                               "  allot watch\n"
                               "  allot watch snu/llm\n"
                               "  allot watch snu/llm/main -o json --from-revision 0");
  watch->add_option(
      "scope", watch_flags->scope,
      "INSTITUTE, INSTITUTE/PROJECT or INSTITUTE/PROJECT/ALLOCATION (all you may see)");
  watch->add_option("--from-revision", watch_flags->from, "Begin after this revision (now)");
  watch->add_option("--count", watch_flags->count, "Stop after so many changes")
      ->check(AtLeastOne());
  watch->callback([&chosen, watch_flags] {
    chosen = [watch_flags](Session& session) { return Watch(session, *watch_flags); };
  });

  auto name = std::make_shared<std::string>();
  CLI::App* explain =
      AddCommand(root, "explain", "Says why an allocation waits, and what would change it",
                 "  allot explain snu/llm/main");
  explain->add_option("allocation", *name, "INSTITUTE/PROJECT/ALLOCATION")->required();
  explain->callback(
      [&chosen, name] { chosen = [name](Session& session) { return Explain(session, *name); }; });
}

}  // namespace allot::cli
