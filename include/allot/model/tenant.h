#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "allot/base/id.h"
#include "allot/base/time.h"

namespace allot {

enum class Sector : uint8_t { kAcademia, kIndustry, kResearch, kNational };
/// "academia", "industry", "research", "national".
std::string_view Name(Sector sector);
std::optional<Sector> ParseSector(std::string_view name);

struct Institute {
  InstituteId id;
  std::string display_name;
  Sector sector = Sector::kAcademia;
  int64_t version = 1;

  friend bool operator==(const Institute&, const Institute&) = default;
};

inline constexpr int kMeritMax = 1000;

struct Project {
  ProjectId id;
  InstituteId institute;
  ProgrammeId programme;
  std::string display_name;
  Sector sector = Sector::kAcademia;
  /// The panel's score, 0 to 1000; scales the project's fair share, never its age.
  int merit = 0;
  /// A closed project takes no new allocations.
  bool open = true;
  Instant create_time;
  int64_t version = 1;

  friend bool operator==(const Project&, const Project&) = default;
};

}  // namespace allot
