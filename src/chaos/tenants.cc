#include "chaos/tenants.h"

#include <algorithm>

#include "allot/control/allocations.h"
#include "allot/control/explain_allocation.h"
#include "allot/control/identity.h"
#include "allot/control/watch.h"

namespace allot::chaos {
namespace {

constexpr int64_t kTimeoutMicros = Micros(Seconds{6});
constexpr int kWatchBatch = 20;

/// Nobody knows whether it happened, or it did not for want of the store.
bool IsToBeRepeated(const Error& error) {
  return error.reason == Reason::kStoreUnavailable || error.reason == Reason::kStoreConflict ||
         error.reason == Reason::kCommitOutcomeUnknown;
}

}  // namespace

Tenants::Tenants(Installation& installation, Servers& servers, std::vector<Tenant> tenants,
                 std::vector<Cluster> clusters, std::string operator_secret)
    : in_(installation),
      servers_(servers),
      tenants_(std::move(tenants)),
      clusters_(std::move(clusters)),
      operator_secret_(std::move(operator_secret)),
      watchers_(tenants_.size()) {}

std::shared_ptr<Question> Tenants::Make(std::string what, std::string secret, Ask ask) {
  auto question = std::make_shared<Question>();
  question->request_id = "r" + std::to_string(++requests_);
  question->what = question->request_id + " " + std::move(what);
  question->secret = std::move(secret);
  question->ask = std::move(ask);
  ++unsettled_;
  return question;
}

void Tenants::Settle(Question& question) {
  if (std::exchange(question.settled, true)) return;
  --unsettled_;
}

void Tenants::Send(const std::shared_ptr<Question>& question) {
  World& world = in_.world;
  if (question->settled) return;
  if (question->tries_left-- == 0) {
    // Whoever has no answer for so long gives up; what it asked for may still come about.
    world.Trace(question->what + " is given up");
    return Settle(*question);
  }
  const auto travel = [&] {
    const bool slow = world.Strikes(world.rates.delayed, "message_delayed");
    return world.random.Between(kMillisecond, slow ? Micros(Seconds{12}) : 20 * kMillisecond);
  };
  if (!world.Strikes(world.rates.request_lost, "request_lost")) {
    world.After(travel(), kNobody, "call", [this, question] { Deliver(question); });
  }
  if (world.Strikes(world.rates.duplicated, "message_duplicated")) {
    world.After(Micros(Seconds{world.random.Between(1, 200)}), kNobody, "late copy",
                [this, question] {
                  in_.world.Probe("late_copy_of_a_message");
                  Deliver(question);
                });
  }
  world.After(kTimeoutMicros + world.random.Between(0, kTimeoutMicros), kNobody, "retry",
              [this, question] { Send(question); });
}

void Tenants::Deliver(const std::shared_ptr<Question>& question) {
  Server* const server = AnyAlive(in_.world, servers_);
  if (server == nullptr) return;
  if (!question->ask_planner) return DeliverAt(*server, question);
  in_.world.After(0, server->actor(), "call of the planner",
                  [this, server, question] { DeliverAt(*server, question); });
}

void Tenants::DeliverAt(Server& server, const std::shared_ptr<Question>& question) {
  World& world = in_.world;
  if (!server.alive()) return;
  const Server::Visit visit(server);
  const auto principal = control::Authenticate(server.context(), question->secret);
  if (!principal.ok()) {
    if (!IsToBeRepeated(principal.error())) {
      world.Violate("keys_work", question->what + ": " + Describe(principal.error()));
    }
    return;
  }
  const control::Call call{.principal = *principal,
                           .request_id = question->request_id,
                           .body_sha256 = std::string(64, 'b'),
                           .validate_only = false};
  const int64_t unheard = world.report.faults["commit_unheard"];
  const Question::Answer answer =
      question->ask_planner ? question->ask_planner(server.context(), server.planner(), call)
                            : question->ask(server.context(), call);
  if (answer.ok() && world.report.faults["commit_unheard"] > unheard) {
    world.Probe("commit_unheard_and_found_again");
  }
  world.Trace(question->what + " at " + server.name() + ": " +
              (answer.ok() ? "OK" : Describe(answer.error())));
  if (!answer.ok()) in_.auditor.Refused(question->what, answer.error());
  if (question->ask_planner && server.planner().TakeRefused()) {
    world.Violate("pass_is_sound", "the plan that " + question->what + " looked at was refused");
  }
  if (!server.alive()) return;
  if (question->answered) question->answered(*principal, answer);
  if (answer.ok()) {
    for (const Allocation& shown : *answer) in_.auditor.Shown(*principal, shown);
  }
  if (world.Strikes(world.rates.answer_lost, "answer_lost")) return;
  const bool settles = answer.ok() || !IsToBeRepeated(answer.error());
  if (settles) {
    // Later, perhaps, than whoever asked is ready to wait.
    const bool slow = world.Strikes(world.rates.delayed, "answer_delayed");
    world.After(world.random.Between(kMillisecond, slow ? Micros(Seconds{20}) : 20 * kMillisecond),
                kNobody, "answer", [this, question] { Settle(*question); });
  }
}

std::optional<AllocationId> Tenants::AnyOf(const ProjectId& project, bool foreign) {
  std::vector<AllocationId> ids;
  for (const auto& [id, allocation] : in_.auditor.allocations()) {
    const bool is_foreign = InstituteOf(id) != InstituteOf(project);
    const bool fits = foreign ? is_foreign : allocation.project == project;
    if (fits && (foreign || !IsFinal(allocation.state) || in_.world.random.Below(8) == 0)) {
      ids.push_back(id);
    }
  }
  if (ids.empty()) return std::nullopt;
  return ids[in_.world.random.Below(ids.size())];
}

void Tenants::Act() {
  const int64_t what = in_.world.random.Between(0, 99);
  if (what < 55) return Submit(Any());
  if (what < 63) return End(Any(), false);
  if (what < 72) return End(Any(), true);
  if (what < 76) return LookAround(Any());
  if (what < 80) return AskWhy(Any());
  if (what < 86) return LookAtAnothers(Any());
  Operate();
}

control::Submission Tenants::Draw(const Tenant& tenant, const std::string& tag) {
  SeededRandom& random = in_.world.random;
  control::Submission submission{.project = tenant.project, .display_name = tag};
  RawRequest& request = submission.request;
  if (random.Below(3) == 0) {
    request.gpus = random.Between(1, 20);
  } else {
    request.nodes = random.Between(1, 3);
    request.gpus_per_node = random.Below(2) == 0 ? 8 : random.Between(1, 8);
  }
  if (random.Below(2) == 0) request.models = {random.Below(2) == 0 ? "H200" : "B200"};
  request.duration = Seconds{random.Between(60, 1'500)};
  request.preemptible = random.Below(3) == 0;
  request.borrow = request.preemptible && random.Below(3) == 0;
  request.exchange = random.Below(6) == 0 && request.models.size() == 1;
  if (random.Below(8) == 0) request.gpus_max = random.Between(21, 32);
  if (random.Below(6) == 0) {
    request.earliest_start = in_.world.now() + Seconds{random.Between(660, 2'400)};
  } else if (random.Below(5) == 0) {
    request.deadline = in_.world.now() + *request.duration + Seconds{random.Between(700, 6'000)};
  }
  if (random.Below(6) == 0) submission.after = AnyOf(tenant.project, false);
  return submission;
}

void Tenants::Submit(const Tenant& tenant) {
  SeededRandom& random = in_.world.random;
  const bool dry = random.Below(12) == 0;
  const auto count = random.Below(6) == 0 ? random.Between(2, 4) : 1;
  const std::string tag = (dry ? "dry" : "t") + std::to_string(requests_ + 1);
  std::vector<control::Submission> submissions;
  for (int64_t i = 0; i < count; ++i) {
    submissions.push_back(Draw(tenant, tag + "." + std::to_string(i)));
  }
  if (random.Below(3) == 0) {
    submissions.front().allocation_name = "n" + std::to_string(random.Below(200));
  }
  const auto question =
      Make("submits " + std::to_string(count) + (dry ? " to try" : ""), tenant.secret,
           [submissions, dry](const control::Context& context, control::Call call) {
             call.validate_only = dry;
             return control::SubmitAll(context, call, submissions);
           });
  question->answered = [this, dry, id = question->request_id](const Principal&,
                                                              const Question::Answer& answer) {
    if (answer.ok() && !dry) {
      in_.auditor.Submitted(id, *answer);
      if (answer->size() > 1) in_.world.Probe("batch_submitted");
    }
    if (!answer.ok() && answer.error().reason == Reason::kQuotaExceeded) {
      in_.world.Probe("quota_refused");
    }
  };
  Send(question);
}

void Tenants::End(const Tenant& tenant, bool release) {
  const auto id = AnyOf(tenant.project, false);
  if (!id) return;
  const bool dry = in_.world.random.Below(12) == 0;
  const std::string what = std::string(release ? "releases " : "cancels ") + (dry ? "to try " : "");
  Send(Make(
      what + id->str(), tenant.secret,
      [id = *id, release, dry](const control::Context& context,
                               control::Call call) -> Question::Answer {
        call.validate_only = dry;
        const control::EndRequest end{.id = id, .version = 0, .reason = dry ? kOnlyTried : ""};
        ALLOT_ASSIGN_OR_RETURN(Allocation ended, release ? control::Release(context, call, end)
                                                         : control::Cancel(context, call, end));
        return dry ? std::vector<Allocation>() : std::vector{std::move(ended)};
      }));
}

void Tenants::LookAround(const Tenant& tenant) {
  Send(Make("lists", tenant.secret,
            [](const control::Context& context, const control::Call& call) -> Question::Answer {
              ALLOT_ASSIGN_OR_RETURN(auto page, control::ListAllocations(context, call.principal,
                                                                         {}, {.size = 1'000}));
              return std::move(page.items);
            }));
}

void Tenants::AskWhy(const Tenant& tenant) {
  const auto id = AnyOf(tenant.project, false);
  if (!id) return;
  const auto question = Make("asks why of " + id->str(), tenant.secret, nullptr);
  question->ask_planner = [id = *id](const control::Context& context, control::Planner& planner,
                                     const control::Call& call) -> Question::Answer {
    ALLOT_RETURN_IF_ERROR(control::ExplainAllocation(context, call.principal, planner, id));
    return std::vector<Allocation>{};
  };
  Send(question);
}

void Tenants::LookAtAnothers(const Tenant& tenant) {
  const auto id = AnyOf(tenant.project, true);
  if (!id) return;
  const bool cancels = in_.world.random.Below(2) == 0;
  const auto question = Make(
      (cancels ? "cancels another's " : "looks at another's ") + id->str(), tenant.secret,
      [id = *id, cancels](const control::Context& context,
                          const control::Call& call) -> Question::Answer {
        if (cancels) {
          ALLOT_ASSIGN_OR_RETURN(Allocation ended, control::Cancel(context, call, {.id = id}));
          return std::vector{std::move(ended)};
        }
        ALLOT_ASSIGN_OR_RETURN(auto detail, control::GetAllocation(context, call.principal, id));
        return std::vector{std::move(detail.allocation)};
      });
  question->answered = [this, what = question->what](const Principal&,
                                                     const Question::Answer& answer) {
    in_.auditor.AskedForAnothers(what, answer.ok() ? std::nullopt : std::optional(answer.error()));
  };
  Send(question);
}

void Tenants::Watch(std::size_t tenant) {
  Server* const server = AnyAlive(in_.world, servers_);
  if (server == nullptr) return;
  const Server::Visit visit(*server);
  Watcher& watcher = watchers_[tenant];
  const auto principal = control::Authenticate(server->context(), tenants_[tenant].secret);
  if (!principal.ok()) return;
  const auto batch = control::ChangesSince(server->context(), *principal, std::nullopt,
                                           std::nullopt, watcher.after, kWatchBatch);
  if (!server->alive()) return;
  if (!batch.ok()) {
    in_.auditor.Refused("a watch", batch.error());
    if (batch.error().reason == Reason::kRevisionOutOfRange)
      ListAnew(server->context(), *principal, watcher);
    return;
  }
  // Who did not hear asks again from where it was.
  if (in_.world.Strikes(in_.world.rates.answer_lost, "answer_lost")) return;
  if (watcher.started) in_.world.Probe("watch_resumed");
  watcher.started = true;
  Revision last = watcher.after;
  for (const control::AllocationChange& change : batch->changes) {
    if (change.revision <= watcher.after || change.revision < last) {
      in_.world.Violate("watch_in_order", "a watch after " + std::to_string(watcher.after) +
                                              " was told of " + std::to_string(change.revision));
    }
    last = change.revision;
    in_.auditor.Shown(*principal, change.allocation);
    watcher.seen[change.allocation.id] = change.state;
  }
  watcher.after = batch->revision;
}

void Tenants::ListAnew(const control::Context& context, const Principal& principal,
                       Watcher& watcher) {
  const auto present = control::PresentRevision(context, principal);
  const auto page = control::ListAllocations(context, principal, {}, {.size = 1'000});
  if (!present.ok() || !page.ok()) return;
  in_.world.Probe("watch_listed_anew");
  watcher.after = *present;
  watcher.seen.clear();
  for (const Allocation& one : page->items) watcher.seen[one.id] = one.state;
}

void Tenants::CheckWatchers() {
  for (std::size_t i = 0; i < tenants_.size(); ++i) {
    for (int more = 0; more < 10'000 && watchers_[i].after < in_.auditor.revision(); ++more) {
      Watch(i);
    }
    for (const auto& [id, allocation] : in_.auditor.allocations()) {
      if (InstituteOf(id) != InstituteOf(tenants_[i].project)) continue;
      const auto seen = watchers_[i].seen.find(id);
      const bool agrees = seen != watchers_[i].seen.end() && seen->second == allocation.state;
      if (!agrees) {
        in_.world.Violate("watch_complete", "who watched " + tenants_[i].project.str() +
                                                " does not know that " + id.str() + " is " +
                                                std::string(Name(allocation.state)));
      }
    }
  }
}

}  // namespace allot::chaos
