#include "allot/backup/log_archive.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <limits>
#include <sstream>
#include <string_view>
#include <system_error>

#include "backup/tool.h"
#include "store/postgres/child_process.h"
#include "store/postgres/cluster_folder.h"

namespace allot::backup {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPacked = ".gz";
constexpr std::string_view kHistory = ".history";
constexpr std::size_t kSegmentName = 24;
constexpr uint64_t kNoEnd = std::numeric_limits<uint64_t>::max();

std::optional<uint64_t> ParseHex(std::string_view text) {
  uint64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (code != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

/// Eight digits, as names of segments are made of.
std::string HexWord(uint64_t word) {
  std::array<char, 8> digits{};
  for (std::size_t i = 0; i < digits.size(); ++i) {
    digits[digits.size() - 1 - i] = "0123456789ABCDEF"[word >> (4 * i) & 15];
  }
  return {digits.data(), digits.size()};
}

std::string HistoryName(uint32_t timeline) { return HexWord(timeline) + std::string(kHistory); }

}  // namespace

std::optional<uint64_t> ParseLogPosition(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto high = ParseHex(text.substr(0, slash));
  const auto low = ParseHex(text.substr(slash + 1));
  if (!high || !low || *high > UINT32_MAX || *low > UINT32_MAX) return std::nullopt;
  return *high << 32 | *low;
}

Status LogArchive::Read() {
  segments_.clear();
  histories_.clear();
  branches_.clear();
  std::error_code problem;
  if (!fs::exists(folder_, problem) && !problem) return Ok{};
  const uint64_t segments_a_log = (uint64_t{1} << 32) / segment_bytes_;
  for (fs::directory_iterator entry(folder_, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    std::string name = entry->path().filename();
    if (!name.ends_with(kPacked)) continue;
    name.resize(name.size() - kPacked.size());
    const std::string_view rest =
        std::string_view(name).substr(std::min<std::size_t>(8, name.size()));
    const auto timeline = ParseHex(std::string_view(name).substr(0, 8));
    if (!timeline) continue;
    if (rest == kHistory) histories_.insert(static_cast<uint32_t>(*timeline));
    if (name.size() != kSegmentName) continue;
    const auto log = ParseHex(rest.substr(0, 8));
    const auto segment = ParseHex(rest.substr(8));
    if (log && segment) segments_.emplace(*timeline, *log * segments_a_log + *segment);
  }
  if (problem) {
    return StateError(Reason::kStoreUnavailable,
                      folder_ + " cannot be read: " + problem.message() + ".");
  }
  if (segments_.empty()) return Ok{};
  const uint32_t newest =
      std::max(segments_.rbegin()->first, histories_.empty() ? uint32_t{1} : *histories_.rbegin());
  return ReadHistory(newest);
}

Status LogArchive::ReadHistory(uint32_t timeline) {
  if (timeline > 1 && histories_.contains(timeline)) {
    ALLOT_ASSIGN_OR_RETURN(const ToolRun run,
                           RunTool({"/bin/gzip", "-dc",
                                    folder_ + "/" + HistoryName(timeline) + std::string(kPacked)}));
    if (run.status != 0) {
      return StateError(Reason::kStoreUnavailable, folder_ + "/" + HistoryName(timeline) +
                                                       std::string(kPacked) +
                                                       " is damaged: " + EndOf(run.output));
    }
    std::istringstream lines(run.output);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      uint32_t left = 0;
      std::string position;
      // Anything else is a comment.
      if (!(words >> left >> position)) continue;
      std::string why;
      std::getline(words >> std::ws, why);
      const auto end = ParseLogPosition(position);
      if (end) branches_.push_back({left, *end, position.append(" (").append(why).append(")")});
    }
  }
  branches_.push_back({timeline, kNoEnd});
  return Ok{};
}

bool LogArchive::HasUpTo(const LogPlace& place) const {
  return segments_.contains({place.timeline, (place.position - 1) / segment_bytes_});
}

std::optional<uint64_t> LogArchive::NewestSegment() const {
  if (segments_.empty() || branches_.empty()) return std::nullopt;
  const auto [timeline, segment] = *segments_.rbegin();
  if (timeline != branches_.back().timeline) return std::nullopt;
  return segment * segment_bytes_;
}

bool LogArchive::LeadsFrom(const LogPlace& place) const {
  return std::ranges::any_of(branches_, [&](const Branch& branch) {
    return branch.timeline == place.timeline && place.position <= branch.end;
  });
}

std::optional<std::string> LogArchive::FirstMissing(const LogPlace& place) const {
  auto branch = std::ranges::find(branches_, place.timeline, &Branch::timeline);
  if (branch == branches_.end()) {
    return branches_.empty()
               ? std::nullopt
               : std::optional(HistoryName(branches_.back().timeline) + std::string(kPacked));
  }
  uint64_t segment = place.position / segment_bytes_;
  for (; branch != branches_.end(); ++branch) {
    // The segment in which a timeline was left begins the next one's files.
    uint64_t end = branch->end / segment_bytes_;
    if (branch->end == kNoEnd) {
      const auto newest = segments_.upper_bound({branch->timeline, kNoEnd});
      const bool any = newest != segments_.begin() && std::prev(newest)->first == branch->timeline;
      end = any ? std::prev(newest)->second + 1 : segment;
    }
    for (; segment < end; ++segment) {
      if (segments_.contains({branch->timeline, segment})) continue;
      return SegmentName({branch->timeline, segment * segment_bytes_}) + std::string(kPacked);
    }
  }
  return std::nullopt;
}

std::string LogArchive::way() const {
  std::string way;
  for (const Branch& branch : branches_) {
    if (branches_.size() == 1) break;
    way += (way.empty() ? "" : ", then ") + ("timeline " + std::to_string(branch.timeline));
    if (branch.end != kNoEnd) way += ", left at " + branch.left_at;
  }
  return way;
}

std::string LogArchive::SegmentName(const LogPlace& place) const {
  const uint64_t segment = place.position / segment_bytes_;
  const uint64_t segments_a_log = (uint64_t{1} << 32) / segment_bytes_;
  return HexWord(place.timeline) + HexWord(segment / segments_a_log) +
         HexWord(segment % segments_a_log);
}

// 1 says that there is no such file, which ends a recovery in order. Above 128 it ends in an error:
// a file that is there and cannot be read must not pass for the end of the log.
std::string LogArchive::restore_command() const {
  return "f='" + folder_ + "/%f.gz'; [ -e \"$f\" ] || exit 1; gzip -dc \"$f\" >'%p' || exit 200";
}

std::string LogArchive::history_command() const {
  return "case '%f' in *.history) ;; *) exit 1 ;; esac; " + restore_command();
}

// Done again after a crash at any point it does the same, or says that what is there is something
// else. It is on the disk, under its name, before PostgreSQL may forget the segment.
std::vector<std::string> ArchiveSettings(const std::string& folder, Seconds timeout) {
  const std::string command = "f='" + folder +
                              "/%f.gz'; { gzip -dc \"$f\" 2>/dev/null | cmp -s - '%p' || "
                              "{ rm -f \"$f.new\" && gzip -nc1 '%p' >\"$f.new\" && sync \"$f.new\" "
                              "&& ln \"$f.new\" \"$f\"; }; }"
                              " && rm -f \"$f.new\" && sync \"$f\" '" +
                              folder + "'";
  return {"archive_mode=on", "archive_command=" + command,
          "archive_timeout=" + std::to_string(timeout.count) + "s"};
}

Status PrepareLogFolder(const std::string& folder) {
  if (!folder.starts_with('/') || folder.find_first_of("'%\\\n") != std::string::npos) {
    return FieldError(Reason::kConfigInvalid, "backup.folder", folder,
                      "a path from the root on, without ', % and \\");
  }
  std::optional<store::Account> as;
  if (::geteuid() == 0) {
    ALLOT_ASSIGN_OR_RETURN(as, store::FindAccount("postgres"));
  }
  std::error_code problem;
  const fs::path parent = fs::path(folder).parent_path();
  const bool existed = fs::exists(parent, problem);
  fs::create_directories(parent, problem);
  // What somebody else made keeps its mode.
  if (!existed) ::chmod(parent.c_str(), as ? 0711 : 0700);
  const bool made = ::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST;
  if (!made || (as && ::chown(folder.c_str(), as->uid, as->gid) != 0) ||
      (!as && ::access(folder.c_str(), W_OK) != 0)) {
    return StateError(Reason::kConfigInvalid, "The folder " + folder + " cannot be written: " +
                                                  std::generic_category().message(errno) + ".");
  }
  if (as) return store::RequireReachable(folder, *as);
  return Ok{};
}

}  // namespace allot::backup
