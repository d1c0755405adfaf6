#include "chaos/strangers.h"

#include <algorithm>
#include <utility>

#include "allot/control/allocations.h"
#include "allot/control/explain_allocation.h"
#include "allot/control/identity.h"
#include "allot/control/reservations.h"
#include "allot/control/tenants.h"
#include "allot/control/watch.h"

namespace allot::chaos {
namespace {

constexpr int kPage = 1'000;

/// Somebody at a server, about to ask.
struct Asking {
  const control::Context& context;
  control::Planner& planner;
  const control::Call& call;
  const ProjectId& own;
  TenantAuditor& auditor;
  /// For watches.
  Revision after = 0;
};

using Reply = TenantAuditor::Reply;

std::string WordsOf(const Asking& asking, const Allocation& one) {
  asking.auditor.Shown(asking.call.principal, one);
  return one.id.str();
}
std::string WordsOf(const Asking& asking, const control::AllocationDetail& detail) {
  std::string words = WordsOf(asking, detail.allocation);
  for (const Allocation& growth : detail.growths) words += " " + WordsOf(asking, growth);
  for (const Claim& claim : detail.claims) words += " " + claim.allocation.str();
  return words;
}
std::string WordsOf(const Asking& asking, const control::WatchBatch& batch) {
  std::string words = "up to " + std::to_string(batch.revision);
  for (const control::AllocationChange& change : batch.changes) {
    words += " " + WordsOf(asking, change.allocation) + " " + change.reason + " " + change.message;
  }
  return words;
}
std::string WordsOf(const Asking&, const control::AllocationExplanation& explained) {
  return explained.why.reason + " " + explained.why.message;
}
std::string WordsOf(const Asking&, const control::QuotaDetail& detail) {
  return detail.quota.project.str();
}
std::string WordsOf(const Asking&, const Quota& quota) { return quota.project.str(); }
std::string WordsOf(const Asking&, const Project& project) { return project.id.str(); }
std::string WordsOf(const Asking&, const Institute& institute) { return institute.id.str(); }
std::string WordsOf(const Asking&, const control::ReservationDetail& detail) {
  std::string words = detail.reservation.id.str() + " " + detail.reservation.project.str();
  for (const control::BookingConflict& conflict : detail.conflicts) {
    words += " " + conflict.allocation.str();
  }
  return words;
}
template <class T>
std::string WordsOf(const Asking& asking, const std::vector<T>& items) {
  std::string words = std::to_string(items.size()) + " in all:";
  for (const T& item : items) words += " " + WordsOf(asking, item);
  return words;
}
template <class T>
std::string WordsOf(const Asking& asking, const store::Page<T>& page) {
  return WordsOf(asking, page.items) + (page.more ? " and more" : "");
}

template <class T>
Reply ReplyOf(const Asking& asking, const std::string& name, const Result<T>& result) {
  if (result.ok()) return {.name = name, .words = WordsOf(asking, *result), .error = {}};
  return {.name = name, .words = InWords(result.error()), .error = result.error()};
}

/// As little as can be asked for.
control::Submission Least(const ProjectId& project) {
  control::Submission submission{.project = project, .display_name = "a stranger's"};
  submission.request.gpus = 1;
  submission.request.duration = Minutes(1);
  return submission;
}

}  // namespace

struct Strangers::Way {
  /// What the name is of; kAll: nothing is named.
  enum class Kind : uint8_t { kAllocation, kProject, kInstitute, kAll };
  const char* what;
  Kind kind;
  /// Of a name there must be an error; else nothing is found.
  bool is_named;
  /// What is nowhere in one's own institute may be answered otherwise.
  bool is_own_special;
  Reply (*ask)(const Asking& asking, const std::string& name);
};

const std::vector<Strangers::Way>& Strangers::Ways() {
  using enum Way::Kind;
  static const std::vector<Way> kWays = {
      {"looks at", kAllocation, true, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(a, name,
                        control::GetAllocation(a.context, a.call.principal, AllocationId(name)));
       }},
      {"cancels", kAllocation, true, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(a, name, control::Cancel(a.context, a.call, {.id = AllocationId(name)}));
       }},
      {"releases", kAllocation, true, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(a, name, control::Release(a.context, a.call, {.id = AllocationId(name)}));
       }},
      {"asks why of", kAllocation, true, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(a, name,
                        control::ExplainAllocation(a.context, a.call.principal, a.planner,
                                                   AllocationId(name)));
       }},
      {"would start after", kAllocation, true, false,
       [](const Asking& a, const std::string& name) {
         control::Submission submission = Least(a.own);
         submission.after = AllocationId(name);
         return ReplyOf(a, name, control::Submit(a.context, a.call, submission));
       }},
      {"submits into", kProject, true, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(a, name, control::Submit(a.context, a.call, Least(ProjectId(name))));
       }},
      {"lists the allocations of", kProject, false, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(a, name,
                        control::ListAllocations(a.context, a.call.principal,
                                                 {.project = ProjectId(name)}, {.size = kPage}));
       }},
      {"lists as its own institute's the allocations of", kProject, false, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(
             a, name,
             control::ListAllocations(a.context, a.call.principal,
                                      {.institute = InstituteOf(a.own), .project = ProjectId(name)},
                                      {.size = kPage}));
       }},
      {"watches", kProject, false, true,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(a, name,
                        control::ChangesSince(a.context, a.call.principal, std::nullopt,
                                              ProjectId(name), a.after, kPage));
       }},
      {"watches as its own institute's", kProject, false, true,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(a, name,
                        control::ChangesSince(a.context, a.call.principal, InstituteOf(a.own),
                                              ProjectId(name), a.after, kPage));
       }},
      {"looks at the quota of", kProject, true, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(a, name, control::GetQuota(a.context, a.call.principal, ProjectId(name)));
       }},
      {"looks at the project", kProject, true, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(a, name, control::GetProject(a.context, a.call.principal, ProjectId(name)));
       }},
      {"looks at the institute", kInstitute, true, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(a, name,
                        control::GetInstitute(a.context, a.call.principal, InstituteId(name)));
       }},
      {"lists the allocations of the institute", kInstitute, false, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(
             a, name,
             control::ListAllocations(a.context, a.call.principal, {.institute = InstituteId(name)},
                                      {.size = kPage}));
       }},
      {"watches the institute", kInstitute, false, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(a, name,
                        control::ChangesSince(a.context, a.call.principal, InstituteId(name),
                                              std::nullopt, a.after, kPage));
       }},
      {"lists the quotas of the institute", kInstitute, false, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(
             a, name,
             control::ListQuotas(a.context, a.call.principal, InstituteId(name), {.size = kPage}));
       }},
      {"lists the projects of the institute", kInstitute, false, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(a, name,
                        control::ListProjects(a.context, a.call.principal, InstituteId(name),
                                              {.size = kPage}));
       }},
      {"lists all quotas", kAll, false, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(
             a, name,
             control::ListQuotas(a.context, a.call.principal, std::nullopt, {.size = kPage}));
       }},
      {"lists all projects", kAll, false, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(
             a, name,
             control::ListProjects(a.context, a.call.principal, std::nullopt, {.size = kPage}));
       }},
      {"lists all institutes", kAll, false, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(a, name,
                        control::ListInstitutes(a.context, a.call.principal, {.size = kPage}));
       }},
      {"lists all reservations", kAll, false, false,
       [](const Asking& a, const std::string& name) {
         return ReplyOf(
             a, name, control::ListReservations(a.context, a.call.principal, {}, {.size = kPage}));
       }},
  };
  return kWays;
}

std::optional<Strangers::Names> Strangers::Draw(const Way& way, const Tenant& tenant) {
  SeededRandom& random = in_.world.random;
  const InstituteId own = InstituteOf(tenant.project);
  std::vector<ProjectId> projects;
  for (const Tenant& other : tenants_) {
    if (InstituteOf(other.project) != own) projects.push_back(other.project);
  }
  const ProjectId other = projects[random.Below(projects.size())];
  // In a place that is not there, in the other's, or in one's own.
  const auto place = random.Below(way.is_own_special ? 2 : 3);
  switch (way.kind) {
    case Way::Kind::kAll:
      return Names{};
    case Way::Kind::kInstitute:
      return Names{InstituteOf(other).str(), "nowhere"};
    case Way::Kind::kProject: {
      const InstituteId where = place == 1 ? InstituteOf(other) : own;
      return Names{other.str(), place == 0 ? "nowhere/p1" : where.str() + "/nowhere"};
    }
    case Way::Kind::kAllocation:
      break;
  }
  std::vector<AllocationId> ids;
  for (const auto& [id, allocation] : in_.auditor.allocations()) {
    if (InstituteOf(id) != own) ids.push_back(id);
  }
  if (ids.empty()) return std::nullopt;
  const ProjectId& where = place == 1 ? other : tenant.project;
  return Names{ids[random.Below(ids.size())].str(),
               (place == 0 ? "nowhere/p1" : where.str()) + "/nowhere"};
}

void Strangers::Ask() {
  SeededRandom& random = in_.world.random;
  const Tenant& tenant = tenants_[random.Below(tenants_.size())];
  const Way& way = Ways()[random.Below(Ways().size())];
  const auto names = Draw(way, tenant);
  Server* const server = AnyAlive(in_.world, servers_);
  if (!names || server == nullptr) return;
  // Some of it asks the planner, where one asks at a time.
  in_.world.After(0, server->actor(), "a stranger", [this, server, &tenant, &way, names = *names] {
    AskAt(*server, tenant, way, names);
  });
}

void Strangers::AskAt(Server& server, const Tenant& tenant, const Way& way, const Names& names) {
  World& world = in_.world;
  if (!server.alive()) return;
  const Server::Visit visit(server);
  const auto principal = control::Authenticate(server.context(), tenant.secret);
  if (!principal.ok()) return;
  TenantAuditor& auditor = in_.auditor.of_tenants();
  const Revision before = in_.auditor.revision();
  const auto ask = [&](const std::string& name) {
    const std::string id = "s" + std::to_string(++asked_);
    const control::Call call{.principal = *principal,
                             .request_id = id,
                             .body_sha256 = control::Sha256Hex(way.what + name),
                             .validate_only = false};
    const Asking asking{.context = server.context(),
                        .planner = server.planner(),
                        .call = call,
                        .own = tenant.project,
                        .auditor = auditor,
                        .after = std::max<Revision>(before - 100, 0)};
    return way.ask(asking, name);
  };
  const Reply anothers = ask(names.anothers);
  const Reply nowhere = ask(names.nowhere);
  if (!server.alive()) return;
  world.Trace(tenant.project.str() + " " + way.what + " " + names.anothers + " and " +
              names.nowhere + " at " + server.name() + ": " + anothers.words);
  for (const Reply* reply : {&anothers, &nowhere}) {
    if (reply->error) in_.auditor.Refused(way.what, *reply->error);
  }
  if (server.planner().TakeRefused()) {
    world.Violate("pass_is_sound", "the plan that a stranger looked at was refused");
  }
  auditor.Pried(*principal, way.what, way.is_named, anothers, nowhere);
  if (in_.auditor.revision() == before && way.kind != Way::Kind::kAll) {
    auditor.Compare(way.what, anothers, nowhere);
  }
}

}  // namespace allot::chaos
