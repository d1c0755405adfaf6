#include "chaos/auditor_tenants.h"

#include <algorithm>

namespace allot::chaos {
namespace {

std::string Without(std::string text, const std::string& name) {
  if (name.empty()) return text;
  for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    text.replace(at, name.size(), "*");
  }
  return text;
}

/// Everything an allocation says in words, names of others included.
std::string WordsOf(const Allocation& one) {
  std::string words = one.id.str() + "|" + one.project.str() + "|" + one.cluster.str();
  for (const std::string* text :
       {&one.display_name, &one.reason, &one.message, &one.setback, &one.overdue_under,
        &one.urgent_reason, &one.consolidate_reason}) {
    words += "|" + *text;
  }
  for (const auto* other : {&one.after, &one.grows}) {
    if (*other) words += "|" + (*other)->str();
  }
  return words;
}

}  // namespace

bool IsUnable(const Error& error) {
  return error.reason == Reason::kStoreUnavailable || error.reason == Reason::kStoreConflict ||
         error.reason == Reason::kCommitOutcomeUnknown;
}

std::string InWords(const Error& error) {
  return Describe(error) + "|" + error.field + "|" + error.value + "|" + error.limit;
}

void TenantAuditor::Expect(bool holds, const char* rule, const std::string& what) {
  if (!holds) world_.Violate(rule, what);
}

void TenantAuditor::Shown(const Principal& reader, const Allocation& allocation) {
  if (reader.institute.empty()) return;
  Expect(InstituteOf(allocation.id) == reader.institute, "tenant_apart",
         allocation.id.str() + " was shown to " + reader.institute.str());
  Told(reader, WordsOf(allocation), {});
}

void TenantAuditor::Told(const Principal& reader, const std::string& words,
                         const std::string& asked) {
  if (reader.institute.empty()) return;
  const std::string rest = Without(words, asked);
  for (const InstituteId& institute : institutes_) {
    if (institute == reader.institute) continue;
    Expect(rest.find(institute.str()) == std::string::npos, "tenant_apart",
           reader.institute.str() + " was told of " + institute.str() + ": " + rest);
  }
}

void TenantAuditor::Pried(const Principal& reader, const std::string& what, bool is_named,
                          const Reply& anothers, const Reply& nowhere) {
  for (const Reply* reply : {&anothers, &nowhere}) Told(reader, reply->words, reply->name);
  const auto& error = anothers.error;
  if (error && IsUnable(*error)) return;
  world_.Probe("tenant_looked_for_anothers");
  if (!is_named) return;
  Expect(error && error->reason == Reason::kNotFound, "tenant_apart",
         reader.institute.str() + " " + what + " " + anothers.name +
             ", which is another's: " + anothers.words);
}

void TenantAuditor::Compare(const std::string& what, const Reply& anothers, const Reply& nowhere) {
  for (const Reply* reply : {&anothers, &nowhere}) {
    if (reply->error && IsUnable(*reply->error)) return;
  }
  world_.Probe("anothers_compared_with_nowhere");
  const std::string first = Without(anothers.words, anothers.name);
  const std::string second = Without(nowhere.words, nowhere.name);
  Expect(first == second, "tenant_apart",
         what + " " + anothers.name + ", which is another's: " + first + "; " + nowhere.name +
             ", which is nowhere: " + second);
}

TenantAuditor::OnceCall TenantAuditor::Came(const control::Call& call) {
  OnceCall came{.name = {call.principal.key, call.request_id}, .body = call.body_sha256};
  ++open_[came.name][came.body];
  const auto done = done_.find(came.name);
  came.is_repeat = done != done_.end() && done->second == came.body;
  came.is_another = done != done_.end() && done->second != came.body;
  return came;
}

void TenantAuditor::Answered(const OnceCall& call, const std::optional<Error>& error) {
  // Nobody knows, then: it stays one that may have been done.
  if (error && IsUnable(*error)) return;
  const std::string name = call.name.second + " of key " + call.name.first.str();
  const bool refused = error && error->reason == Reason::kRequestIdReused;
  if (refused) {
    world_.Probe("request_id_refused_for_another_body");
    const bool has_another = std::ranges::any_of(open_[call.name], [&](const auto& other) {
      return other.first != call.body && other.second > 0;
    });
    Expect(has_another, "request_id_reused",
           name + " was refused as of another body, and no other can have been done");
  }
  Expect(refused || !call.is_another, "request_id_reused",
         name + " had been done with another body, and was " +
             (error ? "refused otherwise: " + Describe(*error) : "done again"));
  Expect(!error || !call.is_repeat, "request_once",
         name + " had been done, and its repeat was told: " + (error ? Describe(*error) : ""));
  if (error) {
    --open_[call.name][call.body];
    return;
  }
  const auto [done, is_first] = done_.emplace(call.name, call.body);
  Expect(is_first || done->second == call.body, "request_id_reused",
         name + " was done with two bodies");
}

}  // namespace allot::chaos
