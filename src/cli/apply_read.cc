#include <algorithm>
#include <array>
#include <cstddef>
#include <map>

#include "cli/apply.h"
#include "cli/listing.h"

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

/// From so many objects of a kind on, one list is cheaper than a read for each.
constexpr std::ptrdiff_t kListedFrom = 100;
/// A list is cut here; what it does not show is then read by name.
constexpr int kListedMax = 20'000;

/// What a list showed of one kind.
struct Known {
  std::map<std::string, Resource> by_name;
  /// Whether what is not in it does not exist.
  bool complete = false;
};

template <class Service, class Request, class Response, class Items>
Outcome<Known> ListInto(Client& client, Method<Service, Request, Response> method,
                        const std::type_identity_t<Request>& request, const Items& items) {
  const auto answer = ListAll(
      client, method, request, [&items](const Response& page) { return items(page).size(); },
      kListedMax);
  if (!answer.ok()) return answer.failure();
  Known known;
  for (const auto& item : items(*answer)) known.by_name.emplace(item.name(), item);
  known.complete = items(*answer).size() < kListedMax;
  return known;
}

/// Of the kinds that come in hundreds; nothing is known of the others.
Outcome<Known> ListKind(Client& client, const Resource& kind) {
  if (std::holds_alternative<v1::Institute>(kind)) {
    return ListInto(
        client, &Projects::ListInstitutes, {},
        [](const auto& page) -> const auto& { return page.institutes(); });
  }
  if (std::holds_alternative<v1::Project>(kind)) {
    v1::ListProjectsRequest request;
    request.set_parent("institutes/-");
    return ListInto(
        client, &Projects::ListProjects, request,
        [](const auto& page) -> const auto& { return page.projects(); });
  }
  if (std::holds_alternative<v1::Quota>(kind)) {
    v1::ListQuotasRequest request;
    request.set_parent("institutes/-/projects/-");
    return ListInto(
        client, &Quotas::ListQuotas, request,
        [](const auto& page) -> const auto& { return page.quotas(); });
  }
  if (std::holds_alternative<v1::Allocation>(kind)) {
    v1::ListAllocationsRequest request;
    request.set_parent("institutes/-/projects/-");
    return ListInto(
        client, &Allocations::ListAllocations, request,
        [](const auto& page) -> const auto& { return page.allocations(); });
  }
  return Known();
}

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
  steps.reserve(documents.size());
  for (const Document& document : documents) steps.push_back({.document = &document});
  // The kinds' own order is the order of dependence; within a kind, as the file has them.
  std::stable_sort(steps.begin(), steps.end(), [](const ApplyStep& a, const ApplyStep& b) {
    return a.document->resource.index() < b.document->resource.index();
  });

  std::array<Known, std::variant_size_v<Resource>> known;
  for (auto first = steps.begin(); first != steps.end();) {
    const Resource& kind = first->document->resource;
    const auto next = std::find_if(first, steps.end(), [&kind](const ApplyStep& step) {
      return step.document->resource.index() != kind.index();
    });
    if (next - first >= kListedFrom) {
      auto listed = ListKind(client, kind);
      if (!listed.ok()) return listed.failure();
      known[kind.index()] = std::move(*listed);
    }
    first = next;
  }

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
    const Resource& resource = step.document->resource;
    const Known& of_kind = known[resource.index()];
    const auto shown = of_kind.by_name.find(NameOf(resource));
    if (shown != of_kind.by_name.end()) {
      found(&shown->second, nullptr);
    } else if (of_kind.complete) {
      found(nullptr, nullptr);
    } else {
      std::visit(Read{client, loop, found}, resource);
    }
  }
  loop.Run();
  if (first_failure) return *first_failure;
  return steps;
}

}  // namespace allot::cli
