#include "allot/control/submit.h"

#include <algorithm>

#include "control/admission.h"
#include "control/record.h"

namespace allot::control {
namespace {

/// 16 characters of at least 5 bits each: two in a project never meet by chance.
constexpr int kMintedNameLength = 16;
/// Leaves room for "-g100".
constexpr std::size_t kNameLengthToGrow = 58;

/// All of a call is one transaction, and may not be long.
Status CheckSteps(std::span<const Request> requests, std::span<const Submission> submissions) {
  std::size_t steps = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    steps += GrowthSteps(requests[i]).size();
    const RawRequest& sent = submissions[i].request;
    const std::string path = submissions[i].path;
    if (steps > kGrowthStepsMax) {
      return FieldError(
          Reason::kFieldNotAllowed,
          path + kRequestPath + (sent.gpus_max ? ".gpus_max" : ".nodes_max"),
          std::to_string(sent.gpus_max ? *sent.gpus_max : *sent.nodes_max),
          "at most " + std::to_string(kGrowthStepsMax) + " steps of growth in one call");
    }
    const std::string& name = submissions[i].allocation_name;
    if (requests[i].gpus_max && name.size() > kNameLengthToGrow) {
      return FieldError(Reason::kNameInvalid, path + "allocation_id", name,
                        "at most " + std::to_string(kNameLengthToGrow) +
                            " characters for one that grows: -g1, -g2 … are added to it");
    }
  }
  return Ok{};
}

/// Times that have gone by, or are too near now, and what is too much by the exchange rate in
/// force: a minute ago they may have been right.
bool IsOfItsTime(const Error& error, const RawRequest& sent) {
  if (sent.exchange &&
      (error.reason == Reason::kGpusOutOfRange || error.reason == Reason::kNodesOutOfRange)) {
    return true;
  }
  return error.reason == Reason::kEarliestStartOutOfRange ||
         error.reason == Reason::kDeadlineTooEarly;
}

using CallPointers = std::vector<const PreparedSubmissions*>;

store::Scope ScopeOf(const CallPointers& calls) {
  store::Scope scope = store::Scope::For(calls.front()->call.principal);
  for (const PreparedSubmissions* one : calls) {
    scope.Join(store::Scope::For(one->call.principal));
  }
  return scope;
}

/// One transaction. With validate_only it is rolled back, and answered as if it were not.
Result<std::vector<Submitted>> Transact(const Context& context, const CallPointers& calls) {
  const bool validate_only = calls.front()->call.validate_only;
  std::optional<std::vector<Submitted>> validated;
  auto done = context.store.Transact<std::vector<Submitted>>(
      store::Access::kWrite, ScopeOf(calls), [&](store::Tx& tx) -> Result<std::vector<Submitted>> {
        ALLOT_ASSIGN_OR_RETURN(auto answers, Admission(context, tx, calls).Run());
        if (!validate_only) return answers;
        validated = std::move(answers);
        // Any error rolls the transaction back; this one never leaves the function.
        return StateError(Reason::kInternal, "validated only");
      });
  if (validated) return *std::move(validated);
  return done;
}

/// After a commit whose outcome is unknown: running again begins with the look-up of the request
/// ids, and so finds what was committed. Who gave none is told that nobody knows.
std::vector<Submitted> Settle(const Context& context, const CallPointers& calls,
                              const Error& unknown) {
  std::vector<Submitted> answers(calls.size(), unknown);
  CallPointers repeatable;
  for (const PreparedSubmissions* one : calls) {
    if (!one->call.request_id.empty()) repeatable.push_back(one);
  }
  if (repeatable.empty()) return answers;
  auto settled = Transact(context, repeatable);
  // Without the store nobody knows: "nothing was changed" might be untrue.
  if (!settled.ok() && settled.error().reason == Reason::kStoreUnavailable) return answers;
  std::size_t next = 0;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (calls[i]->call.request_id.empty()) continue;
    answers[i] = settled.ok() ? std::move((*settled)[next++]) : Submitted(settled.error());
  }
  return answers;
}

std::vector<Submitted> SubmitThese(const Context& context, const CallPointers& calls) {
  auto answers = Transact(context, calls);
  if (answers.ok()) return *std::move(answers);
  const Error& error = answers.error();
  if (error.reason == Reason::kCommitOutcomeUnknown) return Settle(context, calls, error);
  if (calls.size() == 1 || error.reason == Reason::kStoreUnavailable) {
    return std::vector<Submitted>(calls.size(), error);
  }
  // One of them is at fault, and the others are not to pay for it.
  std::vector<Submitted> alone;
  for (const PreparedSubmissions* one : calls) {
    alone.push_back(std::move(SubmitThese(context, {one}).front()));
  }
  return alone;
}

}  // namespace

Result<Allocation> Submit(const Context& context, const Call& call, const Submission& submission) {
  ALLOT_ASSIGN_OR_RETURN(auto made, SubmitAll(context, call, {submission}));
  return std::move(made.front());
}

Result<std::vector<Allocation>> SubmitAll(const Context& context, const Call& call,
                                          std::vector<Submission> submissions) {
  ALLOT_ASSIGN_OR_RETURN(const auto prepared, Prepare(context, call, std::move(submissions)));
  return std::move(SubmitTogether(context, std::span(&prepared, 1)).front());
}

Result<PreparedSubmissions> Prepare(const Context& context, const Call& call,
                                    std::vector<Submission> submissions) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kSubmit));
  const ProjectId project = submissions.front().project;
  if (!MaySee(call.principal, InstituteOf(project))) return NotFound("parent", project.str());
  PreparedSubmissions prepared{.call = call,
                               .now = context.clock.Now(),
                               .submissions = std::move(submissions),
                               .requests = {},
                               .ids = {},
                               .refusal = {}};
  const std::shared_ptr<const Policy> policy = context.policies.At(prepared.now);
  for (const Submission& submission : prepared.submissions) {
    auto request =
        ParseRequest(submission.request, prepared.now, *policy, submission.path + kRequestPath);
    if (!request.ok()) {
      const bool may_have_been_right = IsOfItsTime(request.error(), submission.request);
      if (call.request_id.empty() || !may_have_been_right) return request.error();
      prepared.refusal = request.error();
      prepared.requests.clear();
      prepared.ids.clear();
      return prepared;
    }
    prepared.requests.push_back(*std::move(request));
    const std::string name = submission.allocation_name.empty()
                                 ? context.ids.Mint(kMintedNameLength)
                                 : submission.allocation_name;
    prepared.ids.emplace_back(project.str() + "/" + name);
  }
  ALLOT_RETURN_IF_ERROR(CheckSteps(prepared.requests, prepared.submissions));
  return prepared;
}

std::vector<Submitted> SubmitTogether(const Context& context,
                                      std::span<const PreparedSubmissions> calls) {
  if (calls.empty()) return {};
  CallPointers pointers;
  for (const PreparedSubmissions& one : calls) pointers.push_back(&one);
  return SubmitThese(context, pointers);
}

}  // namespace allot::control
