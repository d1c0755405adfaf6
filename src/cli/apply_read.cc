#include <algorithm>
#include <memory>

#include "cli/apply.h"

namespace allot::cli {
namespace {

/// As many as the server lets one channel have at a time, with some to spare.
constexpr int kReadsAtATime = 64;

using Found = std::function<void(const Resource*, const Failure*)>;

template <class Message>
std::function<void(Outcome<Message>)> Then(Found found) {
  return [found = std::move(found)](Outcome<Message> answer) {
    if (answer.ok()) {
      const Resource resource = std::move(*answer);
      found(&resource, nullptr);
    } else if (answer.failure().reason == "not_found") {
      found(nullptr, nullptr);
    } else {
      found(nullptr, &answer.failure());
    }
  };
}

template <class Request>
Request Named(const std::string& name) {
  Request request;
  request.set_name(name);
  return request;
}

struct Read {
  Client& client;
  CallLoop& loop;
  Found found;

  void operator()(const v1::Provider& p) {
    client.Add(loop, &Pool::GetProvider, Named<v1::GetProviderRequest>(p.name()),
               Then<v1::Provider>(std::move(found)));
  }
  void operator()(const v1::Cluster& c) {
    client.Add(loop, &Pool::GetCluster, Named<v1::GetClusterRequest>(c.name()),
               Then<v1::Cluster>(std::move(found)));
  }
  void operator()(const v1::Institute& i) {
    client.Add(loop, &Projects::GetInstitute, Named<v1::GetInstituteRequest>(i.name()),
               Then<v1::Institute>(std::move(found)));
  }
  void operator()(const v1::Project& p) {
    client.Add(loop, &Projects::GetProject, Named<v1::GetProjectRequest>(p.name()),
               Then<v1::Project>(std::move(found)));
  }
  void operator()(const v1::Quota& q) {
    client.Add(loop, &Quotas::GetQuota, Named<v1::GetQuotaRequest>(q.name()),
               Then<v1::Quota>(std::move(found)));
  }
  void operator()(const v1::Allocation& a) {
    client.Add(loop, &Allocations::GetAllocation, Named<v1::GetAllocationRequest>(a.name()),
               Then<v1::Allocation>(std::move(found)));
  }
};

std::string EtagOf(const Resource& resource) {
  return std::visit([](const auto& r) { return r.etag(); }, resource);
}

void Decide(ApplyStep& step, const Resource* existing) {
  step.differences = Compare(*step.document, existing);
  if (existing == nullptr) {
    step.change = Change::kCreate;
    return;
  }
  step.etag = EtagOf(*existing);
  if (step.differences.empty()) {
    step.change = Change::kUnchanged;
    return;
  }
  step.failure = WhyNotConfigurable(*step.document, step.differences);
  step.change = step.failure ? Change::kRefused : Change::kConfigure;
}

}  // namespace

Outcome<std::vector<ApplyStep>> PlanApply(Client& client, const std::vector<Document>& documents,
                                          const ApplyProgress& progress) {
  std::vector<ApplyStep> steps;
  for (const Document& document : documents) steps.push_back({.document = &document});
  // The kinds' own order is the order of dependence; within a kind, as the file has them.
  std::stable_sort(steps.begin(), steps.end(), [](const ApplyStep& a, const ApplyStep& b) {
    return a.document->resource.index() < b.document->resource.index();
  });

  std::optional<Failure> first_failure;
  int read = 0;
  const int all = static_cast<int>(steps.size());
  CallLoop loop = client.Loop(kReadsAtATime);
  for (ApplyStep& step : steps) {
    const Found found = [&](const Resource* existing, const Failure* failure) {
      if (failure != nullptr) {
        if (!first_failure) first_failure = *failure;
        loop.Drop();
        return;
      }
      Decide(step, existing);
      progress("compared", ++read, all);
    };
    std::visit(Read{client, loop, found}, step.document->resource);
  }
  loop.Run();
  if (first_failure) return *first_failure;
  return steps;
}

}  // namespace allot::cli
