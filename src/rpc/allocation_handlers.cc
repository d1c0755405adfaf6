#include <algorithm>
#include <span>
#include <utility>

#include "allot/control/allocations.h"
#include "allot/control/explain_allocation.h"
#include "allot/control/submit.h"
#include "allot/control/watch.h"
#include "allot/v1/allocation_service.pb.h"
#include "rpc/call_for_two.h"
#include "rpc/fields.h"
#include "rpc/handlers.h"
#include "rpc/known_callers.h"
#include "rpc/render.h"
#include "rpc/status.h"

namespace allot::rpc {
namespace {

/// Changes in one message, so that it stays far below the size a client accepts.
constexpr int kChangesPerMessage = 100;
constexpr int kEventsPerLook = 1000;

/// The changes one watcher has not seen yet, as messages.
class AllocationWatch final : public WatchSource {
 public:
  AllocationWatch(const Services& services, Principal principal, TenantScope scope, Revision after)
      : services_(services),
        principal_(std::move(principal)),
        scope_(std::move(scope)),
        after_(after) {}

  std::string Begin() override { return SignOfLife(); }

  std::string SignOfLife() override {
    v1::WatchAllocationsResponse message;
    message.set_resume_revision(after_);
    return message.SerializeAsString();
  }

  Result<News> NewsSince(Revision seen) override {
    ALLOT_ASSIGN_OR_RETURN(auto changed, control::ChangedSince(services_.context, seen));
    return News{.revision = changed.revision, .institutes = std::move(changed.institutes)};
  }

  bool Concerns(const News& news) const override {
    const std::optional<InstituteId> tenant =
        control::WatchedInstitute(principal_, scope_.institute, scope_.project);
    return !news.institutes || !tenant || news.institutes->contains(*tenant);
  }

  void PassOver(Revision revision) override { after_ = std::max(after_, revision); }
  Revision given() const override { return after_; }

  Result<std::vector<std::string>> Next() override {
    ALLOT_ASSIGN_OR_RETURN(const auto batch,
                           control::ChangesSince(services_.context, principal_, scope_.institute,
                                                 scope_.project, after_, kEventsPerLook));
    std::vector<std::string> messages;
    const ClusterNamesFor name_of(services_.cluster_names, principal_);
    for (std::size_t i = 0; i < batch.changes.size(); i += kChangesPerMessage) {
      const std::size_t end = std::min(i + kChangesPerMessage, batch.changes.size());
      v1::WatchAllocationsResponse message;
      for (std::size_t j = i; j < end; ++j) {
        *message.add_changes() = Render(batch.changes[j], name_of);
      }
      // A revision counts as sent only with its last change.
      const bool last = end == batch.changes.size();
      const Revision complete = last ? batch.revision : batch.changes[end].revision - 1;
      after_ = std::max(after_, complete);
      message.set_resume_revision(after_);
      messages.push_back(message.SerializeAsString());
    }
    after_ = batch.revision;
    return messages;
  }

 private:
  const Services services_;
  const Principal principal_;
  const TenantScope scope_;
  Revision after_;
};

void RenderOutlook(const scheduler::Explanation& explanation, const scheduler::Snapshot& snapshot,
                   const ClusterNamer& name_of, v1::ExplainAllocationResponse& response) {
  for (const scheduler::ClusterOutlook& outlook : explanation.clusters) {
    auto& added = *response.add_clusters();
    const auto& cluster = snapshot.clusters[static_cast<std::size_t>(outlook.cluster)];
    added.set_cluster(name_of(cluster.id));
    added.set_nodes(outlook.nodes);
    added.set_nodes_unschedulable(outlook.unschedulable);
    added.set_nodes_set_aside(outlook.set_aside);
    added.set_nodes_fitting_now(outlook.nodes_fitting_now);
    added.set_gpus_free_now(outlook.gpus_free_now);
    if (outlook.earliest_by_claims) {
      *added.mutable_earliest_time() = Render(*outlook.earliest_by_claims);
    }
  }
}

v1::Alternative RenderAlternative(const scheduler::Alternative& alternative) {
  using Change = scheduler::Alternative::Change;
  v1::Alternative rendered;
  switch (alternative.change) {
    case Change::kShorter:
      rendered.set_change(v1::Alternative::CHANGE_SHORTER);
      break;
    case Change::kSmaller:
      rendered.set_change(v1::Alternative::CHANGE_SMALLER);
      break;
    case Change::kOtherModel:
      rendered.set_change(v1::Alternative::CHANGE_OTHER_MODEL);
      break;
    case Change::kBorrowed:
      rendered.set_change(v1::Alternative::CHANGE_BORROWED);
      break;
  }
  *rendered.mutable_request() = rpc::Render(alternative.request);
  *rendered.mutable_start_time() = rpc::Render(alternative.start);
  rendered.set_message(alternative.message);
  return rendered;
}

class Handlers {
 public:
  explicit Handlers(const Services& services) : s_(services) {}

  void Create(const Caller& caller, const v1::CreateAllocationRequest& request,
              const OnWorker& on_worker, std::function<void(const Result<v1::Allocation>&)> reply) {
    auto parsed = Parse(request);
    if (!parsed.ok()) return reply(parsed.error());
    Submit(caller, request, {*std::move(parsed)}, on_worker,
           [this, caller, reply = std::move(reply)](const control::Submitted& made) {
             if (!made.ok()) return reply(made.error());
             reply(Render(made->front(), NamesFor(caller)));
           });
  }

  void BatchCreate(const Caller& caller, const v1::BatchCreateAllocationsRequest& request,
                   const OnWorker& on_worker,
                   std::function<void(const Result<v1::BatchCreateAllocationsResponse>&)> reply) {
    auto parsed = Parse(request);
    if (!parsed.ok()) return reply(parsed.error());
    Submit(caller, request, *std::move(parsed), on_worker,
           [this, caller, reply = std::move(reply)](const control::Submitted& made) {
             if (!made.ok()) return reply(made.error());
             v1::BatchCreateAllocationsResponse response;
             for (const Allocation& allocation : *made) {
               *response.add_allocations() = Render(allocation, NamesFor(caller));
             }
             reply(response);
           });
  }

  Result<v1::Allocation> Get(const Caller& caller, const v1::GetAllocationRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto id, ParseAllocationName(request.name(), "name"));
    ALLOT_ASSIGN_OR_RETURN(const auto detail,
                           control::GetAllocation(s_.context, caller.principal, id));
    return Render(detail, NamesFor(caller));
  }

  Result<v1::ListAllocationsResponse> List(const Caller& caller,
                                           const v1::ListAllocationsRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto filter, ParseFilter(request));
    if (!request.cluster().empty()) {
      ALLOT_RETURN_IF_ERROR(
          s_.cluster_names.Confirm(caller.principal, request.cluster(), "cluster"));
    }
    ALLOT_ASSIGN_OR_RETURN(auto query, ParsePage(request));
    if (query.position.after.empty()) {
      // Before the first page is read, so that a watch after it misses nothing.
      ALLOT_ASSIGN_OR_RETURN(query.position.revision,
                             control::PresentRevision(s_.context, caller.principal));
    }
    ALLOT_ASSIGN_OR_RETURN(const auto page, control::ListAllocations(s_.context, caller.principal,
                                                                     filter, ToPageRequest(query)));
    v1::ListAllocationsResponse response;
    for (const Allocation& allocation : page.items) {
      *response.add_allocations() = Render(allocation, NamesFor(caller));
    }
    response.set_next_page_token(NextPageToken(query, page));
    response.set_revision(query.position.revision);
    return response;
  }

  Result<v1::Allocation> Cancel(const Caller& caller, const v1::CancelAllocationRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto end, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto allocation, control::Cancel(s_.context, call, end));
    return Render(allocation, NamesFor(caller));
  }

  Result<v1::Allocation> Release(const Caller& caller,
                                 const v1::ReleaseAllocationRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto end, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto allocation, control::Release(s_.context, call, end));
    return Render(allocation, NamesFor(caller));
  }

  Result<v1::ExplainAllocationResponse> Explain(const Caller& caller,
                                                const v1::ExplainAllocationRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto id, ParseAllocationName(request.name(), "name"));
    ALLOT_ASSIGN_OR_RETURN(const auto detail,
                           control::GetAllocation(s_.context, caller.principal, id));
    ALLOT_ASSIGN_OR_RETURN(const auto explained, control::ExplainAllocation(
                                                     s_.context, caller.principal, s_.planner, id));
    const scheduler::Explanation& explanation = explained.why;
    const control::Pass& pass = *explained.pass;
    v1::ExplainAllocationResponse response;
    for (const StartEstimate& estimate : explained.estimates) {
      v1::StartEstimate& row = *response.add_estimates();
      *row.mutable_told_time() = rpc::Render(estimate.told_time);
      if (estimate.planned_start) {
        *row.mutable_planned_start_time() = rpc::Render(*estimate.planned_start);
      }
    }
    *response.mutable_allocation() = Render(detail, NamesFor(caller));
    response.set_rank(explanation.rank);
    response.set_rank_of(explanation.rank_of);
    response.set_entitled_share_permille(explanation.entitled_share_permille);
    response.set_used_share_permille(explanation.used_share_permille);
    if (explanation.planned_start) {
      *response.mutable_planned_start_time() = rpc::Render(*explanation.planned_start);
      response.set_promised(explanation.promised);
    }
    response.set_reason(explanation.reason);
    response.set_message(explanation.message);
    if (explained.earliest_start) {
      *response.mutable_earliest_start_time() = rpc::Render(*explained.earliest_start);
    }
    if (explained.latest_start) {
      *response.mutable_latest_start_time() = rpc::Render(*explained.latest_start);
    }
    RenderOutlook(explanation, pass.snapshot, NamesFor(caller), response);
    for (const scheduler::Alternative& alternative : explanation.alternatives) {
      *response.add_alternatives() = RenderAlternative(alternative);
    }
    response.set_quota_held_gpus(explanation.quota_held);
    response.set_quota_limit_gpus(explanation.quota_limit);
    response.set_policy_version(pass.policy->version);
    response.set_revision(pass.snapshot.revision);
    return response;
  }

  Result<std::unique_ptr<WatchSource>> Watch(const Caller& caller,
                                             const v1::WatchAllocationsRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto start, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const Revision after,
                           control::BeginWatch(s_.context, caller.principal, start.after));
    return std::unique_ptr<WatchSource>(
        std::make_unique<AllocationWatch>(s_, caller.principal, start.scope, after));
  }

 private:
  /// In the next commit that is shared; a dry run, which commits nothing, on a worker.
  template <class Request>
  void Submit(const Caller& caller, const Request& request,
              std::vector<control::Submission> submissions, const OnWorker& on_worker,
              control::SharedCommit::Done done) {
    const auto call = ParseCall(caller, request);
    if (!call.ok()) return done(call.error());
    auto prepared = control::Prepare(s_.context, *call, std::move(submissions));
    if (!prepared.ok()) return done(prepared.error());
    if (call->validate_only) {
      return on_worker([this, one = *std::move(prepared), done = std::move(done)] {
        auto made = std::move(control::SubmitTogether(s_.context, std::span(&one, 1)).front());
        if (made.ok()) {
          const Status foretold = s_.planner.Foretell(*made);
          if (!foretold.ok()) made = foretold.error();
        }
        done(std::move(made));
      });
    }
    const auto taken =
        s_.shared_commit.Submit(PartyOf(caller.principal), *std::move(prepared), done);
    if (taken != QueueVerdict::kTaken) done(RefusalOf(taken));
  }

  ClusterNamesFor NamesFor(const Caller& caller) const {
    return {s_.cluster_names, caller.principal};
  }

  const Services s_;
};

}  // namespace

ServiceMethods AllocationMethods(const Services& services) {
  auto handlers = std::make_shared<Handlers>(services);
  MethodTable table(
      v1::CreateAllocationRequest::descriptor()->file()->FindServiceByName("AllocationService"));
  table.Deferred(handlers.get(), &Handlers::Create);
  table.Deferred(handlers.get(), &Handlers::BatchCreate);
  table.Unary(handlers.get(), &Handlers::Get);
  table.Unary(handlers.get(), &Handlers::List);
  table.Unary(handlers.get(), &Handlers::Cancel);
  table.Unary(handlers.get(), &Handlers::Release);
  table.Unary(handlers.get(), &Handlers::Explain);
  table.Waiting(handlers.get(), &Handlers::Watch);
  return {std::move(handlers), std::move(table)};
}

}  // namespace allot::rpc
