// What everybody asks for at the end, when nothing is in the way.
#include "chaos/tenants.h"

namespace allot::chaos {

void Tenants::AskForLittle() {
  for (const Tenant& tenant : tenants_) AskForLittle(tenant);
}

void Tenants::AskForLittle(const Tenant& tenant) {
  last_.emplace(tenant.project, std::nullopt);
  control::Submission submission{.project = tenant.project,
                                 .display_name = "last of " + tenant.project.str()};
  submission.request.gpus = 1;
  submission.request.duration = Seconds{60};
  const auto question = Make("asks for little", tenant.secret, {});
  question->prepare = [submission](const control::Context& context, const control::Call& call) {
    return control::Prepare(context, call, {submission});
  };
  in_.auditor.AsksToSubmit({submission});
  question->answered = [this, submission, id = question->request_id](
                           const Principal& principal, const Question::Answer& answer) {
    if (answer.ok()) {
      in_.auditor.Submitted(id + " of key " + principal.key.str(), {submission}, *answer);
      last_[submission.project] = answer->front().id;
    } else {
      in_.world.Violate("taken_in_time", "one GPU for a minute, for " + submission.project.str() +
                                             ": " + Describe(answer.error()));
    }
  };
  Send(question);
}

void Tenants::ExpectServed() {
  for (const auto& [project, given] : last_) {
    if (given) {
      in_.auditor.ExpectServed(*given);
    } else {
      in_.world.Violate("everybody_is_answered", project.str() + " asked for little at the end");
    }
  }
}

}  // namespace allot::chaos
