#include "allot/base/text.h"
#include "store/audit_link.h"
#include "store/memory/memory_tx.h"

namespace allot::store {

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
    chain.head_number = state_.counters.audit_number;
    chain.head_hash = Hex(state_.counters.audit_hash);
    const auto& rows = state_.audit.rows();
    for (auto row = rows.upper_bound(number);
         row != rows.end() && static_cast<int>(chain.entries.size()) < limit; ++row) {
      chain.entries.push_back(*row->second);
    }
    return chain;
  });
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
