#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "allot/control/submit.h"
#include "chaos/server.h"
#include "chaos/strangers.h"
#include "chaos/world.h"

namespace allot::chaos {

/// What somebody asks of the service, until an answer has come: with the same request id again when
/// none comes, or one that says it may or may not have happened.
struct Question {
  std::string what;
  std::string secret;
  std::string request_id;
  /// What stands in it, but for the request id.
  std::string body;
  /// It is done once for its request id: it changes something.
  bool is_once = true;
  using Answer = Result<std::vector<Allocation>>;
  /// One of the three; what asks the planner waits for its turn there, and what is prepared goes
  /// into a commit with others.
  std::function<Answer(const control::Context&, const control::Call&)> ask;
  std::function<Answer(const control::Context&, control::Planner&, const control::Call&)>
      ask_planner;
  std::function<Result<control::PreparedSubmissions>(const control::Context&, const control::Call&)>
      prepare;
  /// At the server, whether the answer arrives or not.
  std::function<void(const Principal&, const Answer&)> answered;
  int tries_left = 60;
  /// Since everything is healed.
  int tries_when_healed = 0;
  bool settled = false;
};

/// Everybody who asks: members of the institutes, operators, and whoever watches.
class Tenants {
 public:
  Tenants(Installation& installation, Servers& servers, std::vector<Tenant> tenants,
          std::vector<Cluster> clusters, std::string operator_secret);

  /// Somebody does something.
  void Act();
  /// Somebody reads on.
  void Watch() { Watch(in_.world.random.Below(tenants_.size())); }
  /// Who has followed the stream knows what there is.
  void CheckWatchers();
  /// Nobody waits for an answer any more.
  bool idle() const { return unsettled_ == 0; }
  /// At the end each project asks for one GPU for a minute, and must be given it.
  void AskForLittle();
  /// Those who asked so were answered, and had what they asked for.
  void ExpectServed();

 private:
  using Ask = std::function<Question::Answer(const control::Context&, const control::Call&)>;
  struct Watcher {
    Revision after = 0;
    bool started = false;
    std::map<AllocationId, AllocationState> seen;
  };

  void Watch(std::size_t tenant);
  /// What it was to be told of is not kept any more.
  void ListAnew(const control::Context& context, const Principal& principal, Watcher& watcher);
  std::shared_ptr<Question> Make(std::string what, std::string secret, Ask ask);
  void Send(const std::shared_ptr<Question>& question);
  void Deliver(const std::shared_ptr<Question>& question);
  void DeliverAt(Server& server, const std::shared_ptr<Question>& question);
  /// At the server: it goes back to who asked, if nothing befalls it.
  void Answer(Server& server, const std::shared_ptr<Question>& question, const Principal& principal,
              const TenantAuditor::OnceCall& came, const Question::Answer& answer);
  /// It is sent under a request id of an earlier question of the same tenant.
  void TakeEarlierId(Question& question);
  void Settle(Question& question);
  const Tenant& Any() { return tenants_[in_.world.random.Below(tenants_.size())]; }
  std::optional<AllocationId> AnyOf(const ProjectId& project);

  void Submit(const Tenant& tenant);
  void SubmitAtOnce();
  control::Submission Draw(const Tenant& tenant, const std::string& tag);
  void End(const Tenant& tenant, bool release);
  /// The auditor is told what is wanted, and when that is granted.
  void Wishes(const std::shared_ptr<Question>& question, Wish wish, const AllocationId& id);
  void Changes(const std::shared_ptr<Question>& question,
               const std::vector<Settings::Change>& changes);
  void DrainSomething(const Cluster& cluster);
  void SetQuota(const Tenant& tenant);
  void SetMerit(const Tenant& tenant);
  void AskForLittle(const Tenant& tenant);
  void LookAround(const Tenant& tenant);
  void Operate();
  void OperateOnTenants(int64_t what);
  void Reserve(const Cluster& cluster);
  void Publish();
  void Consolidate(const AllocationId& id);
  void AskWhy(const Tenant& tenant);

  Installation& in_;
  Servers& servers_;
  const std::vector<Tenant> tenants_;
  const std::vector<Cluster> clusters_;
  const std::string operator_secret_;
  /// By key: everybody counts for itself.
  std::map<std::string, int64_t> requests_;
  int64_t submissions_ = 0;
  int policies_ = 0;
  int64_t unsettled_ = 0;
  std::vector<Watcher> watchers_;
  Strangers strangers_;
  /// Of those who ask for little: what they were given, nothing yet.
  std::map<ProjectId, std::optional<AllocationId>> last_;
};

}  // namespace allot::chaos
