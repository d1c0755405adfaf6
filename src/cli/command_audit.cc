#include <memory>

#include "allot/base/text.h"
#include "cli/audit_chain.h"
#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/resource.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

/// How often the old end may be removed while the audit is gone through.
constexpr int kBeginningsMax = 3;

/// Short names of tenants by how many parts they have; everything else in full.
Outcome<std::string> AuditedResource(const std::string& text) {
  const std::string first = text.substr(0, text.find('/'));
  if (first == "institutes" || first == "providers" || first == "apiKeys" || first == "policies" ||
      first == "members" || first == "proposals") {
    return text;
  }
  switch (Split(text, '/').size()) {
    case 1:
      return InstituteName(text);
    case 2:
      return ProjectName(text);
    default:
      return AllocationName(text);
  }
}

ExitCode ListAudit(Session& session, const std::string& text, int64_t limit) {
  const auto resource = AuditedResource(text);
  if (!resource.ok()) return session.Fail(resource.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::ListAuditEntriesRequest request;
  request.set_resource(*resource);
  const auto answer = ListAll(
      **client, &Operators::ListAuditEntries, request,
      [](const auto& page) { return page.audit_entries_size(); }, limit);
  if (!answer.ok()) return session.Fail(answer.failure());
  std::vector<std::string> resources;
  for (const v1::AuditEntry& entry : answer->audit_entries()) {
    resources.push_back(entry.resource());
  }
  session.output().Show(*answer, AuditTable(answer->audit_entries(), session.Now()), resources);
  return ExitCode::kOk;
}

struct VerifyFlags {
  std::string noted;
  std::vector<std::string> public_keys;
};

Outcome<AuditChainCheck> ReadCheck(const VerifyFlags& flags) {
  std::optional<AuditMark> mark;
  if (!flags.noted.empty()) {
    mark = ParseAuditMark(flags.noted);
    if (!mark) {
      return UsageFailure("--noted takes what an earlier run printed, NUMBER:HASH",
                          "'allot audit verify --help' has examples.");
    }
  }
  AuditChainCheck::Keys keys;
  for (const std::string& file : flags.public_keys) {
    auto key = transport::VerifyingKey::Read({"--public-key", file});
    if (!key.ok()) return FailureOf(key.error());
    keys.push_back(*std::move(key));
  }
  return AuditChainCheck(mark, std::move(keys));
}

/// What going through it came to.
struct Gone {
  /// Nothing when all fits.
  std::optional<std::string> wrong;
  /// The old end was removed meanwhile, beyond where the check was.
  bool overtaken = false;
  /// The last page.
  v1::ReadAuditChainResponse page;
};

/// Page by page, so that an audit of years need not fit into memory.
Outcome<Gone> GoThrough(Session& session, Client& client, AuditChainCheck& check) {
  Gone gone;
  v1::ReadAuditChainResponse& page = gone.page;
  bool first = true;
  do {
    v1::ReadAuditChainRequest request;
    request.set_after_number(check.reached().number);
    request.set_page_size(kPageSize);
    auto answer = client.Call(&Operators::ReadAuditChain, request);
    if (!answer.ok()) return answer.failure();
    page = *std::move(answer);
    if (std::exchange(first, false)) {
      gone.wrong = check.Begin({.number = page.base_number(), .hash = page.base_hash()});
    } else if (page.base_number() > check.reached().number) {
      gone.overtaken = true;
      return gone;
    }
    for (const v1::AuditCheckpoint& checkpoint : page.checkpoints()) {
      if (!gone.wrong) gone.wrong = check.TakeCheckpoint(checkpoint);
    }
    for (const v1::ChainedAuditEntry& entry : page.entries()) {
      if (!gone.wrong) gone.wrong = check.Take(entry);
    }
    if (gone.wrong) return gone;
    if (page.entries_size() == kPageSize) {
      session.output().Note(FormatCount(check.reached().number) + " of " +
                            FormatCount(page.head_number()) + " entries");
    }
  } while (page.entries_size() == kPageSize);
  gone.wrong =
      check.Finish({.number = page.head_number(), .hash = page.head_hash()}, session.Now());
  return gone;
}

std::string Verdict(const AuditChainCheck& check) {
  const int64_t kept = check.reached().number - check.base().number;
  std::string text = FormatCount(kept) + " entries, each as it was written";
  if (check.base().number > 0) {
    text += ", behind the " + FormatCount(check.base().number) + " that are no longer kept";
  }
  if (const auto& last = check.newest_signed()) {
    text += "; signed up to entry " + std::to_string(last->number()) + ", " +
            FormatRfc3339(InstantOf(last->sign_time()));
  }
  if (const auto& first = check.signed_late_from()) {
    text += "; signed at all since " + FormatRfc3339(InstantOf(first->checkpoint.sign_time())) +
            ": for the entries up to " + std::to_string(first->checkpoint.number()) +
            ", the first of " + FormatRfc3339(first->since) +
            ", no signature says that they are as they were before then";
  }
  return text + ". Note this, where nobody who can write to the database can change it:\n" +
         MarkText(check.reached()) + "\n";
}

/// The last page's ends; of the checkpoints, the first where it came late, and the newest.
v1::ReadAuditChainResponse Summed(v1::ReadAuditChainResponse page, const AuditChainCheck& check) {
  page.clear_entries();
  page.clear_checkpoints();
  const auto& first = check.signed_late_from();
  const auto& last = check.newest_signed();
  if (first) *page.add_checkpoints() = first->checkpoint;
  if (last && !(first && first->checkpoint.number() == last->number())) {
    *page.add_checkpoints() = *last;
  }
  return page;
}

Failure Broken(const std::string& wrong) {
  return {.exit_code = ExitCode::kConflict,
          .reason = "audit_broken",
          .message = wrong + ". All before it is as it was written.",
          .advice =
              "Keep the database as it is, and compare it with a backup and with what was noted."};
}

ExitCode VerifyAudit(Session& session, const VerifyFlags& flags) {
  for (int beginnings = 1;; ++beginnings) {
    auto check = ReadCheck(flags);
    if (!check.ok()) return session.Fail(check.failure());
    const auto client = session.Connect();
    if (!client.ok()) return session.Fail(client.failure());
    const auto gone = GoThrough(session, **client, *check);
    if (!gone.ok()) return session.Fail(gone.failure());
    if (gone->wrong) return session.Fail(Broken(*gone->wrong));
    if (!gone->overtaken) {
      session.output().Show(Summed(gone->page, *check), Verdict(*check),
                            {MarkText(check->reached())});
      return ExitCode::kOk;
    }
    if (beginnings == kBeginningsMax) {
      return session.Fail({.exit_code = ExitCode::kConflict,
                           .reason = "audit_moves",
                           .message = "old entries are removed faster than they are read",
                           .advice = "Run it again when the removal is done."});
    }
    session.output().Note("old entries were removed meanwhile; beginning anew");
  }
}

}  // namespace

void AddAuditCommands(CLI::App& root, Action& chosen) {
  auto resource = std::make_shared<std::string>();
  auto limit = std::make_shared<int64_t>(100);
  CLI::App* audit = AddCommand(root, "audit", "Shows who did what to a resource, the newest first",
                               "  allot audit snu/llm/main\n"
                               "  allot audit providers/naver/clusters/naver-a -o json");
  audit->add_option("resource", *resource,
                    "INSTITUTE, INSTITUTE/PROJECT, INSTITUTE/PROJECT/ALLOCATION or any full name");
  audit->add_option("--limit", *limit, "At most so many (100)")->check(AtLeastOne());
  auto flags = std::make_shared<VerifyFlags>();
  CLI::App* verify = AddCommand(
      *audit, "verify", "Checks that no entry was changed, removed or put in since it was written",
      "  allot audit verify\n"
      "  allot audit verify --public-key audit.pub\n"
      "  allot audit verify --noted 1204:9f2c…  (64 digits, as an earlier run printed them)");
  verify->add_option("--noted", flags->noted, "What an earlier run printed: NUMBER:HASH");
  verify->add_option("--public-key", flags->public_keys,
                     "PEM: the public half of the key that the servers sign with; several after "
                     "another, where it was exchanged");
  verify->callback([&chosen, flags] {
    chosen = [flags](Session& session) { return VerifyAudit(session, *flags); };
  });
  audit->callback([&chosen, audit, verify, resource, limit] {
    if (verify->parsed()) return;
    chosen = [resource, limit](Session& session) {
      if (resource->empty()) {
        return session.Fail(
            UsageFailure("name a resource, or 'verify'", "'allot audit --help' has examples."));
      }
      return ListAudit(session, *resource, *limit);
    };
  });
}

}  // namespace allot::cli
