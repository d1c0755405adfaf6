#include "allot/model/audit.h"

#include "model/name_table.h"

namespace allot {
namespace {

constexpr NameTable<AuditCheckpoint::Kind, 2> kNames = {{"reached", "removed"}};

}  // namespace

std::string_view Name(AuditCheckpoint::Kind kind) { return kNames.NameOf(kind); }

std::optional<AuditCheckpoint::Kind> ParseAuditCheckpointKind(std::string_view name) {
  return kNames.Parse(name);
}

std::string SignedText(const AuditCheckpoint& checkpoint) {
  return "allot audit " + std::string(Name(checkpoint.kind)) + "\n" +
         std::to_string(checkpoint.mark.number) + "\n" + checkpoint.mark.hash + "\n" +
         std::to_string(checkpoint.sign_time.micros) + "\n";
}

}  // namespace allot
