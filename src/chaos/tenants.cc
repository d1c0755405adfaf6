#include "chaos/tenants.h"

#include <algorithm>

#include "allot/control/allocations.h"
#include "allot/control/explain_allocation.h"
#include "allot/control/identity.h"

namespace allot::chaos {
namespace {

constexpr int64_t kTimeoutMicros = Micros(Seconds{6});
/// With nothing amiss.
constexpr int kTriesToAnswer = 5;

/// Every field: what differs in one is another request.
std::string InWords(const control::Submission& submission) {
  const RawRequest& request = submission.request;
  std::string words = submission.project.str() + "|" + submission.allocation_name + "|" +
                      submission.display_name + "|" +
                      (submission.after ? submission.after->str() : "");
  for (const std::string& model : request.models) words += "|" + model;
  const auto add = [&](const auto& number) {
    words += "|" + (number ? std::to_string(*number) : std::string());
  };
  for (const auto& number :
       {request.gpus, request.nodes, request.gpus_per_node, request.gpus_max, request.nodes_max}) {
    add(number);
  }
  for (const auto& seconds : {request.duration, request.same_leaf_wait}) {
    add(seconds ? std::optional(seconds->count) : std::nullopt);
  }
  for (const auto& time : {request.earliest_start, request.deadline}) {
    add(time ? std::optional(time->micros) : std::nullopt);
  }
  for (const bool flag : {request.preemptible, request.borrow, request.exchange}) {
    words += flag ? "|yes" : "|no";
  }
  return words;
}

}  // namespace

Tenants::Tenants(Installation& installation, Servers& servers, std::vector<Tenant> tenants,
                 std::vector<Cluster> clusters, std::string operator_secret)
    : in_(installation),
      servers_(servers),
      tenants_(std::move(tenants)),
      clusters_(std::move(clusters)),
      operator_secret_(std::move(operator_secret)),
      watchers_(tenants_.size()),
      strangers_(in_, servers_, tenants_) {}

std::shared_ptr<Question> Tenants::Make(std::string what, std::string secret, Ask ask) {
  auto question = std::make_shared<Question>();
  question->request_id = "r" + std::to_string(++requests_[secret]);
  question->body = what;
  question->what = std::move(what);
  question->secret = std::move(secret);
  question->ask = std::move(ask);
  ++unsettled_;
  return question;
}

void Tenants::TakeEarlierId(Question& question) {
  SeededRandom& random = in_.world.random;
  const int64_t own = requests_[question.secret];
  if (own == 1) return;
  // One of the last few may be under way.
  const int64_t first = random.Below(2) == 0 ? std::max<int64_t>(1, own - 3) : 1;
  question.request_id = "r" + std::to_string(random.Between(first, own - 1));
  question.what += " under the earlier id " + question.request_id;
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
    if (question->tries_when_healed >= kTriesToAnswer) {
      world.Violate("everybody_is_answered", question->what + " had no answer, with nothing amiss");
    }
    return Settle(*question);
  }
  if (world.healed) ++question->tries_when_healed;
  const auto travel = [&] {
    const bool slow = world.Strikes(world.rates.delayed, "message_delayed");
    return world.random.Between(kMillisecond, slow ? Micros(Seconds{12}) : 20 * kMillisecond);
  };
  if (!world.Strikes(world.rates.request_lost, "request_lost")) {
    world.After(travel(), kNobody, "call", [this, question] { Deliver(question); });
  }
  if (world.Strikes(world.rates.duplicated, "message_duplicated")) {
    if (world.random.Below(3) == 0) {
      world.After(travel(), kNobody, "copy", [this, question] { Deliver(question); });
    } else {
      world.After(Micros(Seconds{world.random.Between(1, 200)}), kNobody, "late copy",
                  [this, question] {
                    in_.world.Probe("late_copy_of_a_message");
                    Deliver(question);
                  });
    }
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
  world.CallBegins();
  const auto principal = control::Authenticate(server.context(), question->secret);
  if (!principal.ok()) {
    if (!IsUnable(principal.error())) {
      world.Violate("keys_work", question->what + ": " + Describe(principal.error()));
    }
    return;
  }
  const control::Call call{.principal = *principal,
                           .request_id = question->request_id,
                           .body_sha256 = control::Sha256Hex(question->body),
                           .validate_only = false};
  TenantAuditor::OnceCall came;
  if (question->is_once) came = in_.auditor.of_tenants().Came(call);
  if (question->prepare) {
    if (!server.alive()) return;
    auto prepared = question->prepare(server.context(), call);
    if (!prepared.ok()) return Answer(server, question, *principal, came, prepared.error());
    return server.Submit(*std::move(prepared), [this, &server, question, principal = *principal,
                                                came](const control::Submitted& answer) {
      Answer(server, question, principal, came, answer);
    });
  }
  const int64_t unheard = world.report.faults["commit_unheard"];
  const Question::Answer answer =
      question->ask_planner ? question->ask_planner(server.context(), server.planner(), call)
                            : question->ask(server.context(), call);
  if (answer.ok() && world.report.faults["commit_unheard"] > unheard) {
    world.Probe("commit_unheard_and_found_again");
  }
  if (question->ask_planner && server.planner().TakeRefused()) {
    world.Violate("pass_is_sound", "the plan that " + question->what + " looked at was refused");
  }
  if (!server.alive()) {
    world.Trace(question->what + " dies with " + server.name());
    return;
  }
  Answer(server, question, *principal, came, answer);
}

void Tenants::Answer(Server& server, const std::shared_ptr<Question>& question,
                     const Principal& principal, const TenantAuditor::OnceCall& came,
                     const Question::Answer& answer) {
  World& world = in_.world;
  world.Trace(principal.key.str() + " " + question->request_id + " " + question->what + " at " +
              server.name() + ": " + (answer.ok() ? "OK" : Describe(answer.error())));
  TenantAuditor& auditor = in_.auditor.of_tenants();
  const auto error = answer.ok() ? std::nullopt : std::optional(answer.error());
  if (question->is_once) auditor.Answered(came, error);
  if (error) {
    in_.auditor.Refused(question->what, *error);
    auditor.Told(principal, InWords(*error), {});
  }
  if (answer.ok()) {
    for (const Allocation& shown : *answer) auditor.Shown(principal, shown);
  }
  if (question->answered) question->answered(principal, answer);
  if (world.Strikes(world.rates.answer_lost, "answer_lost")) return;
  if (!error || !IsUnable(*error)) {
    // Later, perhaps, than whoever asked is ready to wait.
    const bool slow = world.Strikes(world.rates.delayed, "answer_delayed");
    world.After(world.random.Between(kMillisecond, slow ? Micros(Seconds{20}) : 20 * kMillisecond),
                kNobody, "answer", [this, question] { Settle(*question); });
  }
}

std::optional<AllocationId> Tenants::AnyOf(const ProjectId& project) {
  std::vector<AllocationId> ids;
  for (const auto& [id, allocation] : in_.auditor.allocations()) {
    if (allocation.project != project) continue;
    if (!IsFinal(allocation.state) || in_.world.random.Below(8) == 0) ids.push_back(id);
  }
  if (ids.empty()) return std::nullopt;
  return ids[in_.world.random.Below(ids.size())];
}

void Tenants::Act() {
  const int64_t what = in_.world.random.Between(0, 99);
  if (what < 50) return Submit(Any());
  if (what < 55) return SubmitAtOnce();
  if (what < 63) return End(Any(), false);
  if (what < 72) return End(Any(), true);
  if (what < 75) return LookAround(Any());
  if (what < 79) return AskWhy(Any());
  if (what < 87) return strangers_.Ask();
  Operate();
}

void Tenants::SubmitAtOnce() {
  for (auto left = in_.world.random.Between(2, 5); left > 0; --left) Submit(Any());
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
  // What nobody could ask for at any time is refused before anybody looks for its request id.
  request.exchange = random.Below(6) == 0 && request.models.empty();
  if (random.Below(6) == 0 && request.gpus && !request.exchange)
    request.gpus_max = random.Between(21, 32);
  // Some are so near that a repeat may come too late for them.
  if (random.Below(6) == 0) {
    const int64_t ahead = random.Below(3) == 0 ? random.Between(0, 60) : random.Between(660, 2'400);
    request.earliest_start = in_.world.now() + Seconds{ahead};
  } else if (random.Below(5) == 0) {
    const int64_t slack =
        random.Below(3) == 0 ? random.Between(10, 90) : random.Between(700, 6'000);
    request.deadline = in_.world.now() + *request.duration + Seconds{slack};
  }
  if (random.Below(6) == 0) submission.after = AnyOf(tenant.project);
  return submission;
}

void Tenants::Submit(const Tenant& tenant) {
  SeededRandom& random = in_.world.random;
  const bool dry = random.Below(12) == 0;
  const auto count = random.Below(6) == 0 ? random.Between(2, 4) : 1;
  const std::string tag = (dry ? "dry" : "t") + std::to_string(++submissions_);
  std::vector<control::Submission> submissions;
  for (int64_t i = 0; i < count; ++i) {
    submissions.push_back(Draw(tenant, tag + "." + std::to_string(i)));
  }
  if (random.Below(3) == 0) {
    submissions.front().allocation_name = "n" + std::to_string(random.Below(200));
  }
  const auto question = Make("submits " + tag + " of " + std::to_string(count), tenant.secret, {});
  for (const control::Submission& one : submissions) question->body += "\n" + InWords(one);
  if (dry) {
    question->is_once = false;
    question->ask = [submissions](const control::Context& context, control::Call call) {
      call.validate_only = true;
      return control::SubmitAll(context, call, submissions);
    };
  } else {
    question->prepare = [submissions](const control::Context& context, const control::Call& call) {
      return control::Prepare(context, call, submissions);
    };
    if (random.Below(12) == 0) TakeEarlierId(*question);
  }
  if (!dry) in_.auditor.AsksToSubmit(submissions);
  question->answered = [this, dry, submissions, id = question->request_id](
                           const Principal& principal, const Question::Answer& answer) {
    if (answer.ok() && !dry) {
      in_.auditor.Submitted(id + " of key " + principal.key.str(), submissions, *answer);
      if (answer->size() > 1) in_.world.Probe("batch_submitted");
    }
    if (!answer.ok() && answer.error().reason == Reason::kQuotaExceeded) {
      in_.world.Probe("quota_refused");
    }
  };
  Send(question);
}

void Tenants::End(const Tenant& tenant, bool release) {
  const auto id = AnyOf(tenant.project);
  if (!id) return;
  const bool dry = in_.world.random.Below(12) == 0;
  const bool under_earlier_id = !dry && in_.world.random.Below(12) == 0;
  const std::string what = std::string(release ? "releases " : "cancels ") + (dry ? "to try " : "");
  // What has an earlier id is never what that was of.
  std::string reason = dry ? kOnlyTried : "";
  if (under_earlier_id) reason = "not needed: " + std::to_string(++submissions_);
  const auto question = Make(
      what + id->str(), tenant.secret,
      [id = *id, release, dry, reason](const control::Context& context,
                                       control::Call call) -> Question::Answer {
        call.validate_only = dry;
        const control::EndRequest end{.id = id, .version = 0, .reason = reason};
        ALLOT_ASSIGN_OR_RETURN(Allocation ended, release ? control::Release(context, call, end)
                                                         : control::Cancel(context, call, end));
        return dry ? std::vector<Allocation>() : std::vector{std::move(ended)};
      });
  question->is_once = !dry;
  question->body += "|" + reason;
  if (under_earlier_id) TakeEarlierId(*question);
  if (!dry) Wishes(question, release ? Wish::kRelease : Wish::kCancel, *id);
  Send(question);
}

void Tenants::Wishes(const std::shared_ptr<Question>& question, Wish wish, const AllocationId& id) {
  Auditor& auditor = in_.auditor;
  auditor.AsksFor(wish, id);
  const int attempt = auditor.allocations().at(id).attempt;
  question->answered = [&auditor, wish, id, attempt](const Principal&,
                                                     const Question::Answer& answer) {
    if (answer.ok()) auditor.Granted(wish, id, attempt);
  };
}

void Tenants::LookAround(const Tenant& tenant) {
  const auto question =
      Make("lists", tenant.secret,
           [](const control::Context& context, const control::Call& call) -> Question::Answer {
             ALLOT_ASSIGN_OR_RETURN(
                 auto page, control::ListAllocations(context, call.principal, {}, {.size = 1'000}));
             return std::move(page.items);
           });
  question->is_once = false;
  Send(question);
}

void Tenants::AskWhy(const Tenant& tenant) {
  const auto id = AnyOf(tenant.project);
  if (!id) return;
  const auto question = Make("asks why of " + id->str(), tenant.secret, nullptr);
  question->is_once = false;
  question->ask_planner = [this, id = *id](const control::Context& context,
                                           control::Planner& planner,
                                           const control::Call& call) -> Question::Answer {
    ALLOT_ASSIGN_OR_RETURN(const auto explained,
                           control::ExplainAllocation(context, call.principal, planner, id));
    std::string words = explained.why.reason + "|" + explained.why.message;
    for (const auto& alternative : explained.why.alternatives) words += "|" + alternative.message;
    in_.auditor.of_tenants().Told(call.principal, words, {});
    ALLOT_ASSIGN_OR_RETURN(auto detail, control::GetAllocation(context, call.principal, id));
    std::vector<Allocation> shown = std::move(detail.growths);
    shown.push_back(std::move(detail.allocation));
    return shown;
  };
  Send(question);
}

}  // namespace allot::chaos
