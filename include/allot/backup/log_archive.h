#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "allot/base/result.h"
#include "allot/base/time.h"

namespace allot::backup {

/// A place in the write-ahead log.
struct LogPlace {
  /// PostgreSQL's timeline: one more with every promotion.
  uint32_t timeline = 1;
  uint64_t position = 0;
};
/// "0/3000148" as PostgreSQL writes a position.
std::optional<uint64_t> ParseLogPosition(std::string_view text);

/// The folder that the write-ahead log is archived to: one file a segment, compressed,
/// "000000010000000000000003.gz", and a history of each timeline after the first.
class LogArchive {
 public:
  LogArchive(std::string folder, int64_t segment_bytes)
      : folder_(std::move(folder)), segment_bytes_(static_cast<uint64_t>(segment_bytes)) {}

  /// Looks what is there; an archive that is not there is empty. store_unavailable.
  Status Read();

  bool empty() const { return segments_.empty(); }
  /// Whether the segment is there that holds the log up to this place.
  bool HasUpTo(const LogPlace& place) const;
  /// Where the newest segment of the newest timeline begins; nothing when it has none.
  std::optional<uint64_t> NewestSegment() const;
  /// Whether the newest timeline went through this place.
  bool LeadsFrom(const LogPlace& place) const;
  /// The first file that is missing between `place` and the newest segment there is, on the way to
  /// the newest timeline.
  std::optional<std::string> FirstMissing(const LogPlace& place) const;
  /// How the newest timeline came about, for people: "timeline 1, left at 0/3000148 (before
  /// 2026-11-27 05:00:00.1+00), then timeline 2". Empty when there was never another.
  std::string way() const;
  /// "000000010000000000000003".
  std::string SegmentName(const LogPlace& place) const;

  /// Of PostgreSQL: brings a segment from here; fails the whole recovery when it is damaged.
  std::string restore_command() const;
  /// The same, of histories of timelines only: what is restored without the log gets a number that
  /// no timeline had.
  std::string history_command() const;

 private:
  /// A timeline that the newest one came from, and where it left it.
  struct Branch {
    uint32_t timeline = 0;
    uint64_t end = 0;
    /// The end, and why, in PostgreSQL's words.
    std::string left_at = {};
  };
  Status ReadHistory(uint32_t timeline);

  std::string folder_;
  uint64_t segment_bytes_;
  std::set<std::pair<uint32_t, uint64_t>> segments_;
  std::set<uint32_t> histories_;
  /// Ending with the newest, which has no end.
  std::vector<Branch> branches_;
};

/// PostgreSQL's settings that have it archive its log to a folder: never over what is there, and
/// only done when it is on the disk. A segment that is not full is archived after `timeout`.
std::vector<std::string> ArchiveSettings(const std::string& folder, Seconds timeout);
/// Makes the folder for whoever runs PostgreSQL. config_invalid when that cannot be, or when its
/// path has characters that a command of PostgreSQL cannot carry.
Status PrepareLogFolder(const std::string& folder);

}  // namespace allot::backup
