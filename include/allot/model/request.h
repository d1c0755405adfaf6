#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allot/base/gpu_seconds.h"
#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/model/gpu.h"

namespace allot {

struct Policy;

/// GPUs of one gang: `nodes` nodes with `gpus_per_node` each, and one more node with
/// `remainder_gpus` when that is not zero (12 GPUs in all are 1 × 8 + 4).
struct Shape {
  int nodes = 0;
  int gpus_per_node = 0;
  /// 0, or 1 to gpus_per_node - 1; only from "GPUs in all".
  int remainder_gpus = 0;

  constexpr int gpus() const { return nodes * gpus_per_node + remainder_gpus; }
  constexpr int node_count() const { return nodes + (remainder_gpus > 0 ? 1 : 0); }

  friend auto operator<=>(const Shape&, const Shape&) = default;
};

/// The fewest nodes that hold `gpus` (> 0): up to 8 stay on one node.
Shape ShapeForGpus(int gpus);
/// "2 nodes x 8 GPUs", "1 node x 8 GPUs + 4 GPUs", "3 GPUs on 1 node".
std::string Describe(const Shape& shape);

/// What does the same work on GPUs of another model.
struct ExchangedShape {
  GpuModel model = GpuModel::kH200;
  Shape shape;

  friend auto operator<=>(const ExchangedShape&, const ExchangedShape&) = default;
};

/// What an institute asks for. Made by `ParseRequest` only, so an invalid one cannot exist.
struct Request {
  Shape shape;
  /// What it takes of one of the models instead, by the policy's exchange rate on the day of
  /// submission; nothing: as much of every model.
  std::optional<ExchangedShape> exchanged;
  /// Not empty, each once, the preferred first.
  std::vector<GpuModel> models;
  /// Whole seconds; the time the GPUs are held, counted from the start.
  Seconds duration;
  /// Not before this time; nothing means as soon as possible.
  std::optional<Instant> earliest_start;
  /// Must have ended by then; nothing means no matter when.
  std::optional<Instant> deadline;
  /// Whether it may be stopped and put back for others.
  bool preemptible = false;
  /// It may hold GPUs beyond its project's concurrent quota, which nobody within theirs has a use
  /// for: it is ranked behind all of those, and stopped for them first. Preemptible only.
  bool borrow = false;
  /// Elastic: it starts with its shape, and as much is added while it runs as there is room for, up
  /// to so many GPUs in all. Nothing: never more than its shape.
  std::optional<int> gpus_max;
  /// How much later than anywhere it would rather start if all its nodes then hang from one leaf.
  Seconds same_leaf_wait;

  /// What it takes of a model that it accepts.
  const Shape& ShapeOn(GpuModel model) const {
    return exchanged && model == exchanged->model ? exchanged->shape : shape;
  }
  friend bool operator==(const Request&, const Request&) = default;
};

/// On GPUs of that model; nothing when it is more than can be counted, as below.
std::optional<GpuSeconds> CostOn(const Request& request, GpuModel model);
/// On whichever of its models it takes the fewest GPUs …
std::optional<GpuSeconds> LowestCost(const Request& request);
/// … or the most: what is set aside for it while nobody knows.
std::optional<GpuSeconds> HighestCost(const Request& request);

/// How a request for GPUs of one model is served by another (Policy::b200_worth_permille).
enum class Exchange : uint8_t {
  kByGpu,   ///< as many GPUs as do the same work, rounded up, on as few nodes as hold them
  kByNode,  ///< as many nodes of the same size, rounded up
};
/// What does the work of `shape` on the other model.
Shape ExchangedFor(const Shape& shape, GpuModel from, GpuModel to, Exchange how,
                   const Policy& policy);

/// A request as it came over the wire, before any check.
struct RawRequest {
  std::optional<int64_t> gpus;
  std::optional<int64_t> nodes;
  std::optional<int64_t> gpus_per_node;
  std::vector<std::string> models;
  std::optional<Seconds> duration;
  std::optional<Instant> earliest_start;
  std::optional<Instant> deadline;
  bool preemptible = false;
  bool borrow = false;
  bool exchange = false;
  std::optional<int64_t> gpus_max;
  std::optional<int64_t> nodes_max;
  std::optional<Seconds> same_leaf_wait;
};

inline constexpr Seconds kDurationMin = Minutes(1);
/// The programme's 12 months, leap years included.
inline constexpr Seconds kDurationMax = Days(366);
/// How far ahead a start or a deadline may lie.
inline constexpr Seconds kAheadMax = Days(3 * 366);
/// More than any cluster has; the pool's real size is checked at admission.
inline constexpr int kGpusMax = 16'384;
inline constexpr int kNodesMax = kGpusMax / kGpusPerNode;

/// What is added to an elastic request, step by step: as many GPUs as a whole node of it has, the
/// last step what is left; each of them on one node. Empty for one that is not elastic.
std::vector<Shape> GrowthSteps(const Request& request);
/// Bounds what one request adds to the queue.
inline constexpr int kGrowthStepsMax = 100;

/// Checks every field; the first error in the order of the fields is returned, its field prefixed
/// by `path` ("allocation.request"). No models given means any, in the order H200, B200. An
/// earliest start up to a minute in the past is taken as now. `policy`: for its exchange rate.
Result<Request> ParseRequest(const RawRequest& raw, Instant now, const Policy& policy,
                             const std::string& path);

}  // namespace allot
