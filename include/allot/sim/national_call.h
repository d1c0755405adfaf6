#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "allot/base/id.h"
#include "allot/model/quota.h"
#include "allot/model/request.h"
#include "allot/model/tenant.h"

namespace allot::sim {

/// One project of a call, what it may hold and what it asks for.
struct CallProject {
  Project project;
  Quota quota;
  AllocationId allocation;
  std::string allocation_display_name;
  RawRequest request;
};

/// An institute and its projects, in the order of their ids.
struct CallInstitute {
  Institute institute;
  std::vector<CallProject> projects;
};

/// The first call for the national pool as it could have been: the totals are the published ones,
/// every institute and project is invented.
struct NationalCall {
  uint64_t seed = 0;
  /// By sector in the order of the enumeration, then by id.
  std::vector<CallInstitute> institutes;
};

/// What a sector of the call "call-2026-1" asks for in all.
struct SectorTotal {
  Sector sector;
  int institutes;
  int projects;
  int nodes;
};
/// 514 projects and 1,714 nodes. Published: the sums, and academia's 8,600 GPUs (1,075 nodes). The
/// rest is split as the awards were (industry 1,288 GPUs, research 312), projects likewise.
inline constexpr std::array kCallTotals = {
    SectorTotal{Sector::kAcademia, 62, 322, 1'075},
    SectorTotal{Sector::kIndustry, 44, 154, 514},
    SectorTotal{Sector::kResearch, 14, 38, 125},
};
/// The national AI projects, besides the call: their sizes in nodes, each in one cluster. They fill
/// NHN's 510 + 255 nodes to 97 %, whichever cluster the largest gets.
inline constexpr std::array kNationalNodes = {255, 128, 120, 96, 80, 64};

/// The seed of deploy/national-call.yaml: the day the call opened.
inline constexpr uint64_t kNationalCallSeed = 20251222;

/// The same call from the same seed on every machine; the totals hold for every seed.
NationalCall MakeNationalCall(uint64_t seed);

/// Nodes an ask counts for: GPUs in all are rounded up to whole nodes.
int NodesAsked(const RawRequest& request);

/// The file `allot apply -f` takes: YAML, one resource a line, totals in the comment on top.
std::string FormatNationalCall(const NationalCall& call);

}  // namespace allot::sim
