#include <limits>

#include "allot/base/text.h"
#include "store/audit_link.h"
#include "store/memory/memory_tx.h"

namespace allot::store {
namespace {

/// Of an Ed25519 signature.
constexpr std::size_t kSignatureDigits = 128;

AuditMark Head(const Counters& counters) {
  return {.number = counters.audit_number, .hash = Hex(counters.audit_hash)};
}

}  // namespace

Status MemoryTx::Audit(const AuditEntry& entry) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  audit_.push_back(entry);
  return Ok{};
}

void MemoryTx::WriteAudit() {
  for (AuditEntry& entry : audit_) {
    Counters& counters = state_.counters;
    entry.number = ++counters.audit_number;
    counters.audit_hash = AuditLink(counters.audit_hash, entry);
    state_.audit.Put(undo_, entry.number,
                     ChainedAuditEntry{.entry = entry, .hash = Hex(counters.audit_hash)});
  }
}

Result<AuditChain> MemoryTx::AuditAfter(int64_t number, int limit) {
  return Verb([&] {
    AuditChain chain;
    chain.head = Head(state_.counters);
    chain.base = state_.counters.audit_base;
    const auto& rows = state_.audit.rows();
    for (auto row = rows.upper_bound(number);
         row != rows.end() && static_cast<int>(chain.entries.size()) < limit; ++row) {
      chain.entries.push_back(*row->second);
    }
    const int64_t after = number <= chain.base.number ? chain.base.number - 1 : number;
    const bool to_the_end = static_cast<int>(chain.entries.size()) < limit;
    const int64_t last =
        to_the_end ? std::numeric_limits<int64_t>::max() : chain.entries.back().entry.number;
    for (const auto& [key, checkpoint] : state_.audit_checkpoints.rows()) {
      if (key.first > after && key.first <= last) chain.checkpoints.push_back(*checkpoint);
    }
    return chain;
  });
}

Result<AuditMark> MemoryTx::AuditHead() {
  return Verb([&] { return Head(state_.counters); });
}

Result<std::optional<AuditCheckpoint>> MemoryTx::NewestAuditCheckpoint() {
  return Verb([&] {
    std::optional<AuditCheckpoint> newest;
    for (const auto& [key, checkpoint] : state_.audit_checkpoints.rows()) {
      if (checkpoint->kind == AuditCheckpoint::Kind::kReached) newest = *checkpoint;
    }
    return newest;
  });
}

Status MemoryTx::InsertAuditCheckpoint(const AuditCheckpoint& checkpoint) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  const ChainedAuditEntry* const entry = state_.audit.Find(checkpoint.mark.number);
  if (entry == nullptr || entry->hash != checkpoint.mark.hash) return Refuse();
  if (checkpoint.signature.size() != kSignatureDigits) return Refuse();
  return Insert(state_.audit_checkpoints, std::pair(checkpoint.mark.number, checkpoint.kind),
                checkpoint);
}

Result<std::optional<AuditMark>> MemoryTx::AuditToRemove(Instant t, int limit) {
  return Verb([&] {
    std::optional<AuditMark> last;
    int looked_at = 0;
    for (const auto& [number, row] : state_.audit.rows()) {
      const bool young = row->entry.time >= t;
      if (young || looked_at == limit || number == state_.counters.audit_number) break;
      last = AuditMark{.number = number, .hash = row->hash};
      ++looked_at;
    }
    return last;
  });
}

Status MemoryTx::RemoveAudit(const AuditMark& through) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  const AuditCheckpoint* const said =
      state_.audit_checkpoints.Find(std::pair(through.number, AuditCheckpoint::Kind::kRemoved));
  if (said == nullptr || said->mark != through) return Refuse();
  while (!state_.audit.rows().empty() && state_.audit.rows().begin()->first <= through.number) {
    state_.audit.Erase(undo_, state_.audit.rows().begin()->first);
  }
  state_.counters.audit_base = through;
  return Ok{};
}

Result<Page<AuditEntry>> MemoryTx::AuditOf(const AuditedResource& resource, int64_t before,
                                           int size) {
  return Verb([&] {
    Page<AuditEntry> page;
    const auto& rows = state_.audit.rows();
    auto row = before > 0 ? rows.lower_bound(before) : rows.end();
    while (row != rows.begin()) {
      --row;
      const AuditEntry& entry = row->second->entry;
      const std::string kind = entry.action.substr(0, entry.action.find('.'));
      if (entry.resource != resource.id ||
          std::ranges::find(resource.kinds, kind) == resource.kinds.end()) {
        continue;
      }
      if (static_cast<int>(page.items.size()) == size) {
        page.more = true;
        break;
      }
      page.items.push_back(entry);
    }
    return page;
  });
}

}  // namespace allot::store
