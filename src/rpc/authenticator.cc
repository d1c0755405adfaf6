#include "rpc/authenticator.h"

#include <utility>
#include <vector>

#include "rpc/status.h"

namespace allot::rpc {

Authenticator::Authenticator(const control::Context& context, const Limits& limits)
    : context_(context),
      limits_(limits),
      waiting_({.queue_max = limits.calls_max, .line_max = limits.calls_a_party_max}),
      thread_([this] { Run(); }) {}

Authenticator::~Authenticator() { Stop(); }

QueueVerdict Authenticator::TryAsk(const control::Proof& proof, Done done) {
  {
    const std::string party = known_callers_.PartyOf(proof.fingerprint());
    const std::lock_guard lock(mutex_);
    if (refusing_) return QueueVerdict::kStopped;
    const auto verdict = waiting_.Push(party, {.proof = proof, .done = std::move(done)});
    if (verdict != QueueVerdict::kTaken) return verdict;
  }
  changed_.notify_one();
  return QueueVerdict::kTaken;
}

Result<Principal> Authenticator::Ask(const control::Proof& proof) {
  auto principal = std::move(control::AuthenticateAll(context_, std::span(&proof, 1)).front());
  Learn(proof, principal);
  return principal;
}

void Authenticator::RefuseAll() {
  {
    const std::lock_guard lock(mutex_);
    refusing_ = true;
  }
  changed_.notify_one();
}

void Authenticator::Stop() {
  {
    const std::lock_guard lock(mutex_);
    refusing_ = true;
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Authenticator::Run() {
  for (;;) {
    std::vector<Waiting> asking;
    bool refusing = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      asking = waiting_.Take(limits_.together_max, [](const Waiting&) { return std::size_t{1}; });
      refusing = refusing_;
    }
    if (refusing) {
      for (const Waiting& one : asking) one.done(RefusalOf(QueueVerdict::kStopped));
      continue;
    }
    std::vector<control::Proof> proofs;
    for (Waiting& one : asking) proofs.push_back(std::move(one.proof));
    const auto principals = control::AuthenticateAll(context_, proofs);
    for (std::size_t i = 0; i < asking.size(); ++i) {
      Learn(proofs[i], principals[i]);
      asking[i].done(principals[i]);
    }
  }
}

void Authenticator::Learn(const control::Proof& proof, const Result<Principal>& principal) {
  if (principal.ok()) {
    known_callers_.Learn(proof.fingerprint(), *principal);
  } else if (principal.error().reason == Reason::kCredentialInvalid ||
             principal.error().reason == Reason::kMemberUnknown) {
    known_callers_.Forget(proof.fingerprint());
  }
}

}  // namespace allot::rpc
