// Submissions that share a commit, as those of control::SharedCommit do.
#include <set>

#include "allot/base/check.h"
#include "chaos/server.h"

namespace allot::chaos {
namespace {

/// While a commit is under way, others come.
constexpr int64_t kGatheringMax = 40 * kMillisecond;
/// Few, so that some have to wait for the next.
constexpr std::size_t kAllocationsMax = 8;

/// Passes everything on, and counts.
class CountingStore final : public store::Store {
 public:
  explicit CountingStore(store::Store& store) : store_(store) {}
  void OnCommit(std::function<void(Revision)> callback) override {
    store_.OnCommit(std::move(callback));
  }
  int transactions() const { return transactions_; }

 protected:
  Status Run(store::Access access, const store::Scope& scope,
             const std::function<Status(store::Tx&)>& work) override {
    ++transactions_;
    const auto done =
        store_.Transact<Ok>(access, scope, [&](store::Tx& tx) -> Result<Ok> { return work(tx); });
    return done;
  }

 private:
  store::Store& store_;
  int transactions_ = 0;
};

/// What came together, and what became of it.
void CountSituations(World& world, const std::vector<control::PreparedSubmissions>& calls,
                     int transactions) {
  std::set<InstituteId> institutes;
  std::map<store::RequestName, std::string> bodies;
  for (const control::PreparedSubmissions& one : calls) {
    institutes.insert(one.call.principal.institute);
    const auto [first, is_first] = bodies.emplace(
        store::RequestName{one.call.principal.key, one.call.request_id}, one.call.body_sha256);
    if (is_first) continue;
    const bool same = first->second == one.call.body_sha256;
    world.Probe(same ? "group_with_a_repeat" : "group_with_a_reused_id");
  }
  if (institutes.size() > 1) world.Probe("group_of_several_tenants");
  if (calls.size() == 1) return;
  if (transactions == 2) world.Probe("group_settled");
  // Once together, and then each.
  if (transactions > 2) world.Probe("group_tried_alone");
}

}  // namespace

void Server::Submit(control::PreparedSubmissions call, Done done) {
  const std::string party = call.call.principal.institute.str();
  const auto verdict =
      life_->submissions.Push(party, {.call = std::move(call), .done = std::move(done)});
  ALLOT_CHECK(verdict == QueueVerdict::kTaken);
  if (!std::exchange(life_->commits, true)) CommitLater();
}

void Server::CommitLater() {
  in_.world.After(in_.world.random.Between(kMillisecond, kGatheringMax), kNobody, "shared commit",
                  [this, life = lives_] {
                    if (life == lives_ && alive()) CommitTogether();
                  });
}

void Server::CommitTogether() {
  const Visit visit(*this);
  std::vector<Waiting> group = life_->submissions.Take(
      kAllocationsMax, [](const Waiting& one) { return one.call.submissions.size(); });
  std::vector<control::PreparedSubmissions> calls;
  calls.reserve(group.size());
  for (Waiting& one : group) calls.push_back(std::move(one.call));
  CountingStore store(life_->store);
  const control::Context context{store, life_->clock, in_.ids, life_->policies};
  const int64_t unheard = in_.world.report.faults["commit_unheard"];
  std::vector<control::Submitted> answers = control::SubmitTogether(context, calls);
  if (!alive()) return;
  CountSituations(in_.world, calls, store.transactions());
  in_.world.Trace(name_ + " answers " + std::to_string(calls.size()) + " submissions after " +
                  std::to_string(store.transactions()) + " transactions");
  if (answers.front().ok() && in_.world.report.faults["commit_unheard"] > unheard) {
    in_.world.Probe("commit_unheard_and_found_again");
  }
  for (std::size_t i = 0; i < group.size(); ++i) group[i].done(std::move(answers[i]));
  life_->commits = !life_->submissions.empty();
  if (life_->commits) CommitLater();
}

}  // namespace allot::chaos
