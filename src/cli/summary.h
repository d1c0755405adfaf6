#pragma once

#include <optional>
#include <string>
#include <vector>

#include "allot/base/time.h"
#include "cli/client.h"

namespace allot::cli {

/// The pool's GPUs of one model at one provider.
struct PoolShare {
  std::string provider;
  /// What people call it; the name again when it has none.
  std::string provider_display_name;
  std::string model;
  int clusters = 0;
  int nodes = 0;
  int gpus = 0;
  int gpus_online = 0;
  int gpus_in_use = 0;
};

/// A start that the present plan forecasts.
struct NextStart {
  /// "snu/llm/main"; empty for those who may not see other tenants.
  std::string allocation;
  std::string project_display_name;
  std::string cluster;
  int gpus = 0;
  Instant start;
};

/// Why one allocation waits, in the scheduler's own words.
struct Waiting {
  std::string allocation;
  std::string project_display_name;
  int64_t gpus = 0;
  int rank = 0;
  int rank_of = 0;
  std::optional<Instant> planned_start;
  std::string reason;
  std::string message;
};

/// The parent of all projects' allocations.
inline constexpr const char* kEveryProject = "institutes/-/projects/-";

/// Where everybody stands, for people who do not know the system.
struct Summary {
  Instant time;
  std::vector<PoolShare> shares;
  PoolShare total;
  int projects_served = 0;
  int projects_waiting = 0;
  int allocations_active = 0;
  int allocations_waiting = 0;
  int utilisation_permille = 0;
  std::vector<NextStart> next_starts;
  std::optional<Waiting> waiting;
};

Outcome<Summary> Summarise(Client& client);

/// One object on one line; `utilisation` from 0 to 1, times in RFC 3339.
std::string JsonOf(const Summary& summary);
/// A page in Korean and English, times in Korea's.
std::string PageOf(const Summary& summary, bool colours);

}  // namespace allot::cli
