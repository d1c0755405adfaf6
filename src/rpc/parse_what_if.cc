#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <vector>

#include "allot/model/policy_settings.h"
#include "rpc/enums.h"
#include "rpc/fields.h"
#include "rpc/parse.h"

namespace allot::rpc {
namespace {

Status Missing(bool present, const std::string& field, const std::string& expected) {
  if (present) return Ok{};
  return FieldError(Reason::kFieldRequired, field, "", expected);
}

/// A cluster's id, or a node's.
Result<std::string> ParsePlace(const std::string& name, const std::string& field) {
  const auto node = ParseNodeName(name, field);
  if (node.ok()) return node->node.str();
  const auto cluster = ParseClusterName(name, field);
  if (cluster.ok()) return cluster->cluster.str();
  return FieldError(Reason::kResourceNameInvalid, field, name,
                    "providers/*/clusters/* or providers/*/clusters/*/nodes/*");
}

Result<control::WhatIfQuestion::Change> ParseChange(const v1::WhatIfChange& change,
                                                    const std::string& path) {
  using Change = control::WhatIfQuestion::Change;
  switch (change.change_case()) {
    case v1::WhatIfChange::kMerit: {
      const auto& merit = change.merit();
      ALLOT_ASSIGN_OR_RETURN(auto project,
                             ParseProjectName(merit.project(), path + ".merit.project"));
      ALLOT_RETURN_IF_ERROR(Missing(merit.has_merit(), path + ".merit.merit", "0 to 1000"));
      return Change(scheduler::SetMerit{std::move(project), merit.merit()});
    }
    case v1::WhatIfChange::kConcurrentGpus: {
      const auto& quota = change.concurrent_gpus();
      const std::string field = path + ".concurrent_gpus";
      ALLOT_ASSIGN_OR_RETURN(auto project, ParseProjectName(quota.project(), field + ".project"));
      ALLOT_ASSIGN_OR_RETURN(const auto model, Parse(quota.gpu_model(), field + ".gpu_model"));
      ALLOT_RETURN_IF_ERROR(
          Missing(quota.has_gpus(), field + ".gpus", "0 to " + std::to_string(kGpusMax)));
      return Change(scheduler::SetQuota{std::move(project), model, quota.gpus()});
    }
    case v1::WhatIfChange::kDrain: {
      ALLOT_ASSIGN_OR_RETURN(auto place, ParsePlace(change.drain(), path + ".drain"));
      return Change(scheduler::Drain{std::move(place)});
    }
    case v1::WhatIfChange::kWithdraw: {
      ALLOT_ASSIGN_OR_RETURN(auto id, ParseAllocationName(change.withdraw(), path + ".withdraw"));
      return Change(scheduler::Withdraw{std::move(id)});
    }
    case v1::WhatIfChange::kUrgent: {
      ALLOT_ASSIGN_OR_RETURN(auto id, ParseAllocationName(change.urgent(), path + ".urgent"));
      return Change(scheduler::SetUrgent{std::move(id)});
    }
    case v1::WhatIfChange::kConsolidate: {
      ALLOT_ASSIGN_OR_RETURN(auto id,
                             ParseAllocationName(change.consolidate(), path + ".consolidate"));
      return Change(scheduler::SetConsolidate{std::move(id)});
    }
    case v1::WhatIfChange::kSubmit: {
      control::Submission submission;
      const auto& submit = change.submit();
      ALLOT_ASSIGN_OR_RETURN(submission.project,
                             ParseProjectName(submit.project(), path + ".submit.project"));
      ALLOT_ASSIGN_OR_RETURN(submission.request,
                             ParseRaw(submit.request(), path + ".submit.request"));
      return Change(std::move(submission));
    }
    case v1::WhatIfChange::CHANGE_NOT_SET:
      break;
  }
  return FieldError(Reason::kFieldRequired, path, "",
                    "merit, concurrent_gpus, drain, withdraw, urgent, consolidate or submit");
}

}  // namespace

Result<control::WhatIfQuestion> Parse(const v1::WhatIfRequest& request) {
  control::WhatIfQuestion question;
  const int count = request.changes_size();
  if (count > control::kWhatIfChangesMax) {
    return FieldError(Reason::kRequestTooLarge, "changes", std::to_string(count),
                      "at most " + std::to_string(control::kWhatIfChangesMax));
  }
  for (int i = 0; i < count; ++i) {
    ALLOT_ASSIGN_OR_RETURN(auto change,
                           ParseChange(request.changes(i), "changes[" + std::to_string(i) + "]"));
    question.changes.push_back(std::move(change));
  }
  if (!request.policy().empty()) {
    ALLOT_ASSIGN_OR_RETURN(question.policy, ParsePolicyOrCurrent(request.policy(), "policy"));
  }
  ALLOT_ASSIGN_OR_RETURN(question.settings, ParseGivenSettings(request.settings(), "settings."));
  ALLOT_ASSIGN_OR_RETURN(question.programmes, ParseProgrammes(request.settings(), "settings."));
  const bool nothing = question.changes.empty() && request.policy().empty() &&
                       question.settings.empty() && question.programmes.empty();
  if (request.settings().node_loss() != v1::NODE_LOSS_UNSPECIFIED) {
    return FieldError(Reason::kFieldNotAllowed, "settings.node_loss",
                      v1::NodeLoss_Name(request.settings().node_loss()),
                      "a setting that plans depend on");
  }
  ALLOT_RETURN_IF_ERROR(Missing(!nothing, "changes", "a change, a policy or a setting"));
  return question;
}

}  // namespace allot::rpc
