#include <algorithm>
#include <map>
#include <set>

#include "cli/apply.h"
#include "cli/resource_name.h"
#include "cli/text.h"

namespace allot::cli {
namespace {

/// Below the server's bound on the streams of a channel.
constexpr int kWritesAtATime = 64;

bool Differs(const ApplyStep& step, std::string_view field) {
  return std::any_of(step.differences.begin(), step.differences.end(),
                     [field](const Difference& d) { return d.field == field; });
}

/// What must be there before the object can be: by full name.
std::vector<std::string> DependsOn(const Resource& resource) {
  const std::string& name = NameOf(resource);
  if (std::holds_alternative<v1::Quota>(resource)) return {name.substr(0, name.rfind('/'))};
  const std::string parent = ParentOf(name);
  if (const auto* allocation = std::get_if<v1::Allocation>(&resource)) {
    std::vector<std::string> needed = {parent, parent + "/quota"};
    if (!allocation->request().after().empty()) needed.push_back(allocation->request().after());
    return needed;
  }
  return {parent};
}

/// Sends one step's call, or the calls it takes one after another.
struct Write {
  Client& client;
  CallLoop& loop;
  const ApplyStep& step;
  const std::string& reason;
  bool validate_only = false;
  std::function<void(const Failure*)> done;

  template <class Message>
  std::function<void(Outcome<Message>)> Then() const {
    return
        [done = done](Outcome<Message> answer) { done(answer.ok() ? nullptr : &answer.failure()); };
  }

  void operator()(const v1::Provider& p) {
    v1::CreateProviderRequest request;
    request.set_validate_only(validate_only);
    request.set_provider_id(LastPart(p.name()));
    request.mutable_provider()->set_display_name(p.display_name());
    client.Add(loop, &Pool::CreateProvider, request, Then<v1::Provider>());
  }

  void operator()(const v1::Cluster& c) {
    v1::CreateClusterRequest request;
    request.set_validate_only(validate_only);
    request.set_parent(ParentOf(c.name()));
    request.set_cluster_id(LastPart(c.name()));
    *request.mutable_cluster() = c;
    request.mutable_cluster()->clear_name();
    client.Add(loop, &Pool::CreateCluster, request, Then<v1::Cluster>());
  }

  void operator()(const v1::Institute& i) {
    v1::CreateInstituteRequest request;
    request.set_validate_only(validate_only);
    request.set_institute_id(LastPart(i.name()));
    *request.mutable_institute() = i;
    request.mutable_institute()->clear_name();
    client.Add(loop, &Projects::CreateInstitute, request, Then<v1::Institute>());
  }

  void operator()(const v1::Project& p) {
    if (step.change == Change::kConfigure) {
      ConfigureProject(p);
      return;
    }
    v1::CreateProjectRequest request;
    request.set_validate_only(validate_only);
    request.set_parent(ParentOf(p.name()));
    request.set_project_id(LastPart(p.name()));
    *request.mutable_project() = p;
    request.mutable_project()->clear_name();
    client.Add(loop, &Projects::CreateProject, request, Then<v1::Project>());
  }

  void ConfigureProject(const v1::Project& p) {
    v1::UpdateProjectRequest request;
    request.set_validate_only(validate_only);
    *request.mutable_project() = p;
    request.mutable_project()->set_etag(step.etag);
    if (Differs(step, "display_name")) request.mutable_update_mask()->add_paths("display_name");
    if (Differs(step, "open")) request.mutable_update_mask()->add_paths("open");
    if (request.update_mask().paths_size() == 0) {
      SetMerit(*this, p, step.etag);
      return;
    }
    const bool merit_too = Differs(step, "merit");
    // Merit has a method of its own; the update before it gives the etag that it needs.
    client.Add(loop, &Projects::UpdateProject, request,
               [write = *this, p, merit_too](Outcome<v1::Project> updated) {
                 if (!updated.ok()) {
                   write.done(&updated.failure());
                 } else if (merit_too) {
                   // Nothing was updated where it is only checked: the etag is still the old one.
                   SetMerit(write, p, write.validate_only ? write.step.etag : updated->etag());
                 } else {
                   write.done(nullptr);
                 }
               });
  }

  static void SetMerit(const Write& write, const v1::Project& p, const std::string& etag) {
    v1::SetMeritRequest request;
    request.set_name(p.name());
    request.set_merit(p.merit());
    request.set_reason(write.reason);
    request.set_etag(etag);
    request.set_validate_only(write.validate_only);
    write.client.Add(write.loop, &Operators::SetMerit, request, write.Then<v1::Project>());
  }

  void operator()(const v1::Quota& q) {
    v1::UpdateQuotaRequest request;
    request.set_reason(reason);
    request.set_validate_only(validate_only);
    *request.mutable_quota() = q;
    request.mutable_quota()->set_etag(step.etag);
    const auto mask = [&](std::string_view field, const char* path) {
      if (Differs(step, field)) request.mutable_update_mask()->add_paths(path);
    };
    mask("concurrent_gpus.H200", "concurrent_gpus.h200");
    mask("concurrent_gpus.B200", "concurrent_gpus.b200");
    mask("gpu_hours", "gpu_seconds");
    client.Add(loop, &Quotas::UpdateQuota, request, Then<v1::Quota>());
  }

  void operator()(const v1::Allocation& a) {
    v1::CreateAllocationRequest request;
    request.set_validate_only(validate_only);
    request.set_parent(ParentOf(a.name()));
    request.set_allocation_id(LastPart(a.name()));
    request.mutable_allocation()->set_display_name(a.display_name());
    *request.mutable_allocation()->mutable_request() = a.request();
    client.Add(loop, &Allocations::CreateAllocation, request, Then<v1::Allocation>());
  }
};

Failure Skipped(const std::string& on) {
  return {.exit_code = ExitCode::kConflict,
          .reason = "skipped",
          .message = "it depends on " + ShortName(on) + ", which failed",
          .advice = "Correct that one and apply the file again."};
}

Failure NotTried() {
  return {.exit_code = ExitCode::kUnavailable,
          .reason = "skipped",
          .message = "the server stopped answering before its turn came",
          .advice = "Apply the file again: what is done stays done."};
}

Failure InACircle() {
  return {.exit_code = ExitCode::kInvalid,
          .reason = "config_invalid",
          .message = "it starts after one that starts after it",
          .advice = "Correct 'after' in the file; neither was sent."};
}

class Carrier {
 public:
  Carrier(Client& client, const std::string& reason, const ApplyProgress& progress, int all,
          bool validate_only)
      : client_(client),
        reason_(reason),
        progress_(progress),
        all_(all),
        validate_only_(validate_only) {}

  /// All steps of one kind; returns when they are done.
  void CarryOut(std::vector<ApplyStep>& steps, std::size_t kind) {
    std::map<std::string, ApplyStep*> left;
    for (ApplyStep& step : steps) {
      if (step.document->resource.index() == kind) {
        left.emplace(NameOf(step.document->resource), &step);
      }
    }
    // Allocations that start after each other go one after another, all else at once.
    while (!left.empty()) {
      const std::vector<ApplyStep*> turn = Next(left);
      if (turn.empty()) {
        for (const auto& [name, step] : left) Skip(*step, InACircle());
        return;
      }
      CallLoop loop = client_.Loop(kWritesAtATime);
      for (ApplyStep* step : turn) Begin(loop, *step);
      loop.Run();
      for (ApplyStep* step : turn) {
        if (step->done == Done::kNotYet) Skip(*step, NotTried());
        left.erase(NameOf(step->document->resource));
      }
    }
  }

 private:
  /// Those of a kind that depend on none of the others.
  static std::vector<ApplyStep*> Next(const std::map<std::string, ApplyStep*>& left) {
    std::vector<ApplyStep*> next;
    for (const auto& [name, step] : left) {
      const std::vector<std::string> needed = DependsOn(step->document->resource);
      if (std::none_of(needed.begin(), needed.end(),
                       [&](const std::string& other) { return left.contains(other); })) {
        next.push_back(step);
      }
    }
    return next;
  }

  void Skip(ApplyStep& step, Failure why) {
    step.done = Done::kSkipped;
    step.failure = std::move(why);
    failed_.insert(NameOf(step.document->resource));
  }

  void Begin(CallLoop& loop, ApplyStep& step) {
    const std::string& name = NameOf(step.document->resource);
    if (step.change == Change::kRefused) {
      step.done = Done::kFailed;
      failed_.insert(name);
      return;
    }
    if (step.change == Change::kUnchanged) {
      step.done = Done::kDone;
      return;
    }
    for (const std::string& needed : DependsOn(step.document->resource)) {
      if (!failed_.contains(needed)) continue;
      Skip(step, Skipped(needed));
      return;
    }
    if (unreachable_) return;
    if (validate_only_ && WouldWaitForOthers(step)) {
      step.done = Done::kDone;
      progress_("checked", ++settled_, all_);
      return;
    }
    if (step.change == Change::kCreate) not_there_.insert(name);
    const auto settle = [this, &loop, &step, &name](const Failure* failure) {
      step.done = failure == nullptr ? Done::kDone : Done::kFailed;
      if (failure != nullptr) {
        step.failure = *failure;
        failed_.insert(name);
        // Every further call would spend its whole patience in vain.
        unreachable_ = unreachable_ || failure->exit_code == ExitCode::kUnavailable;
        if (unreachable_) loop.Drop();
      }
      progress_(validate_only_ ? "checked" : "sent", ++settled_, all_);
    };
    std::visit(Write{client_, loop, step, reason_, validate_only_, settle},
               step.document->resource);
  }

  /// The server cannot judge what depends on something that it does not have yet.
  bool WouldWaitForOthers(const ApplyStep& step) {
    const std::vector<std::string> needed = DependsOn(step.document->resource);
    const bool waits = std::any_of(needed.begin(), needed.end(), [&](const std::string& other) {
      return not_there_.contains(other);
    });
    if (waits) not_there_.insert(NameOf(step.document->resource));
    return waits;
  }

  Client& client_;
  const std::string& reason_;
  const ApplyProgress& progress_;
  const int all_;
  const bool validate_only_;
  int settled_ = 0;
  bool unreachable_ = false;
  std::set<std::string> failed_;
  // What this run makes, and what was not tried for want of it: not there while it is only checked.
  std::set<std::string> not_there_;
};

}  // namespace

void CarryOut(Client& client, std::vector<ApplyStep>& steps, const std::string& reason,
              bool validate_only, const ApplyProgress& progress) {
  const auto to_send = std::count_if(steps.begin(), steps.end(), [](const ApplyStep& step) {
    return step.change == Change::kCreate || step.change == Change::kConfigure;
  });
  Carrier carrier(client, reason, progress, static_cast<int>(to_send), validate_only);
  for (std::size_t kind = 0; kind < std::variant_size_v<Resource>; ++kind) {
    carrier.CarryOut(steps, kind);
  }
}

}  // namespace allot::cli
