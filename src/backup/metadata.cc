#include "backup/metadata.h"

#include <fstream>
#include <iterator>
#include <sstream>

#include <nlohmann/json.hpp>

namespace allot::backup {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

std::string PositionText(uint64_t position) {
  std::ostringstream text;
  text << std::hex << std::uppercase << (position >> 32) << '/' << (position & UINT32_MAX);
  return text.str();
}

/// Reads members; the first that is not what it must be is kept.
class Members {
 public:
  Members(const json& object, const std::string& path) : object_(object), path_(path) {}

  std::string Text(const char* key) {
    const auto found = object_.find(key);
    if (found == object_.end() || !found->is_string()) return Refuse(key), "";
    return found->get<std::string>();
  }
  int64_t Number(const char* key) {
    const auto found = object_.find(key);
    if (found == object_.end() || !found->is_number_integer()) return Refuse(key), 0;
    return found->get<int64_t>();
  }
  bool Flag(const char* key) {
    const auto found = object_.find(key);
    if (found == object_.end() || !found->is_boolean()) return Refuse(key), false;
    return found->get<bool>();
  }
  /// Of those that releases before did not write.
  bool FlagIfGiven(const char* key) { return object_.contains(key) && Flag(key); }
  Instant Time(const char* key) {
    const auto time = ParseRfc3339(Text(key));
    if (!time) Refuse(key);
    return time.value_or(Instant{});
  }
  LogPlace Place(const char* key) {
    LogPlace place{.timeline = static_cast<uint32_t>(Number("timeline"))};
    const auto position = ParseLogPosition(Text(key));
    if (!position) Refuse(key);
    place.position = position.value_or(0);
    return place;
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  void Refuse(const char* key) {
    if (error_) return;
    error_ = StateError(Reason::kConfigInvalid,
                        path_ + " is damaged: '" + key + "' is missing or not what it must be.");
  }

  const json& object_;
  const std::string& path_;
  std::optional<Error> error_;
};

}  // namespace

std::string FormatMetadata(const Backup& backup) {
  const ordered_json object = {{"allot_version", backup.version},
                               {"schema", backup.schema},
                               {"revision", backup.revision},
                               {"end_revision", backup.end_revision},
                               {"audit_number", backup.audit_number},
                               {"audit_hash", backup.audit_hash},
                               {"system_identifier", backup.system_identifier},
                               {"private_cluster", backup.private_cluster},
                               {"wal_segment_bytes", backup.wal_segment_bytes},
                               {"log_archived", backup.log_archived},
                               {"start_time", FormatRfc3339(backup.start_time)},
                               {"end_time", FormatRfc3339(backup.end_time)},
                               {"timeline", backup.end.timeline},
                               {"start_lsn", PositionText(backup.start.position)},
                               {"end_lsn", PositionText(backup.end.position)}};
  return object.dump(2) + "\n";
}

Result<Backup> ParseMetadata(std::string_view text, const std::string& path) {
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return StateError(Reason::kConfigInvalid, path + " is damaged: it is not a JSON object.");
  }
  Members members(object, path);
  Backup backup{.name = {},
                .version = members.Text("allot_version"),
                .schema = static_cast<int>(members.Number("schema")),
                .revision = members.Number("revision"),
                .end_revision = members.Number("end_revision"),
                .audit_number = members.Number("audit_number"),
                .audit_hash = members.Text("audit_hash"),
                .system_identifier = members.Text("system_identifier"),
                .private_cluster = members.Flag("private_cluster"),
                .wal_segment_bytes = members.Number("wal_segment_bytes"),
                .log_archived = members.FlagIfGiven("log_archived"),
                .start_time = members.Time("start_time"),
                .end_time = members.Time("end_time"),
                .start = members.Place("start_lsn"),
                .end = members.Place("end_lsn")};
  if (members.error()) return *members.error();
  if (backup.wal_segment_bytes < (1 << 20)) {
    return StateError(Reason::kConfigInvalid, path + " is damaged: 'wal_segment_bytes'.");
  }
  return backup;
}

Status ReadLogRange(const std::string& manifest_path, Backup& backup) {
  ALLOT_ASSIGN_OR_RETURN(const std::string text, ReadWhole(manifest_path));
  const json manifest = json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto unexpected = [&] {
    return StateError(Reason::kInternal, manifest_path + " names no range of the log.");
  };
  if (!manifest.is_object() || !manifest.contains("WAL-Ranges")) return unexpected();
  const json& ranges = manifest["WAL-Ranges"];
  if (!ranges.is_array() || ranges.empty()) return unexpected();
  Members first(ranges.front(), manifest_path);
  Members last(ranges.back(), manifest_path);
  const auto start = ParseLogPosition(first.Text("Start-LSN"));
  const auto end = ParseLogPosition(last.Text("End-LSN"));
  if (!start || !end) return unexpected();
  backup.start = {static_cast<uint32_t>(first.Number("Timeline")), *start};
  backup.end = {static_cast<uint32_t>(last.Number("Timeline")), *end};
  return first.error() || last.error() ? Status(unexpected()) : Status(Ok{});
}

Result<std::string> ReadWhole(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (stream.is_open() && !stream.bad()) return text;
  return StateError(Reason::kConfigInvalid, path + " cannot be read.");
}

}  // namespace allot::backup
