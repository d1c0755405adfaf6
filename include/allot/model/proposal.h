#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "allot/base/id.h"
#include "allot/base/time.h"

namespace allot {

enum class ProposalState : uint8_t { kPending, kApproved, kRejected, kDone, kExpired };
/// "pending", "approved", "rejected", "done", "expired".
std::string_view Name(ProposalState state);

/// What a second person said.
struct ProposalDecision {
  bool approved = false;
  KeyId key;
  Instant time;
  std::string reason;

  friend bool operator==(const ProposalDecision&, const ProposalDecision&) = default;
};

inline constexpr std::size_t kProposalRequestMax = 65'536;

/// A call that nobody may make alone: one person asked for it, another decides, and the same call
/// by the first then goes through, once.
struct Proposal {
  ProposalId id;
  /// The method of the API: "CreatePolicy".
  std::string method;
  /// SHA-256 of the call and its key, hexadecimal: what tells that it is the same call again.
  std::string digest;
  /// The call's message as JSON, for whoever decides; at most kProposalRequestMax bytes.
  std::string request;
  /// Whose call it is.
  KeyId proposer;
  Instant create_time;
  /// From then on it is neither decided nor done.
  Instant expire_time;
  std::optional<ProposalDecision> decision;
  /// When the call went through.
  std::optional<Instant> done_time;
  /// Given by the store.
  int64_t version = 1;

  friend bool operator==(const Proposal&, const Proposal&) = default;
};

ProposalState StateOf(const Proposal& proposal, Instant now);

}  // namespace allot
