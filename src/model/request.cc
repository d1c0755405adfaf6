#include "allot/model/request.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "allot/base/check.h"
#include "allot/base/text.h"
#include "allot/model/policy.h"

namespace allot {
namespace {

/// How far in the past an earliest start may lie: clocks differ, and requests travel.
constexpr Seconds kEarliestStartGrace = Minutes(1);

std::string Range(int64_t low, int64_t high) {
  return FormatCount(low) + " to " + FormatCount(high);
}

std::string CountOf(int count, std::string_view noun) {
  return FormatCount(count) + ' ' + std::string(noun) + (count == 1 ? "" : "s");
}

Result<int> ParseCount(Reason reason, std::string field, int64_t value, int low, int high) {
  if (value < low || value > high) {
    return FieldError(reason, std::move(field), std::to_string(value), Range(low, high));
  }
  return static_cast<int>(value);
}
Result<int> ParseCount(Reason reason, std::string field, int64_t value, int high) {
  return ParseCount(reason, std::move(field), value, 1, high);
}

Result<Shape> ParseShape(const RawRequest& raw, const std::string& path) {
  if (raw.gpus) {
    ALLOT_ASSIGN_OR_RETURN(
        const int gpus, ParseCount(Reason::kGpusOutOfRange, path + ".gpus", *raw.gpus, kGpusMax));
    if (raw.nodes) {
      return FieldError(Reason::kShapeAmbiguous, path + ".node_shape.nodes",
                        std::to_string(*raw.nodes), "none, because gpus is given");
    }
    if (raw.gpus_per_node) {
      return FieldError(Reason::kShapeAmbiguous, path + ".node_shape.gpus_per_node",
                        std::to_string(*raw.gpus_per_node), "none, because gpus is given");
    }
    return ShapeForGpus(gpus);
  }
  if (!raw.nodes && !raw.gpus_per_node) {
    return FieldError(Reason::kFieldRequired, path + ".gpus", "",
                      Range(1, kGpusMax) + ", or nodes and gpus_per_node");
  }
  if (!raw.nodes) {
    return FieldError(Reason::kFieldRequired, path + ".node_shape.nodes", "", Range(1, kNodesMax));
  }
  ALLOT_ASSIGN_OR_RETURN(
      const int nodes,
      ParseCount(Reason::kNodesOutOfRange, path + ".node_shape.nodes", *raw.nodes, kNodesMax));
  if (!raw.gpus_per_node) {
    return FieldError(Reason::kFieldRequired, path + ".node_shape.gpus_per_node", "",
                      Range(1, kGpusPerNode));
  }
  ALLOT_ASSIGN_OR_RETURN(const int gpus_per_node, ParseCount(Reason::kGpusPerNodeOutOfRange,
                                                             path + ".node_shape.gpus_per_node",
                                                             *raw.gpus_per_node, kGpusPerNode));
  return Shape{nodes, gpus_per_node, 0};
}

Result<std::vector<GpuModel>> ParseModels(const RawRequest& raw, const std::string& path) {
  if (raw.models.empty()) return std::vector{GpuModel::kH200, GpuModel::kB200};
  std::vector<GpuModel> models;
  for (std::size_t i = 0; i < raw.models.size(); ++i) {
    const std::string& name = raw.models[i];
    const std::string field = path + ".models[" + std::to_string(i) + ']';
    const auto model = ParseGpuModel(name);
    if (!model) return FieldError(Reason::kGpuModelUnknown, field, name, "H200 or B200");
    if (std::find(models.begin(), models.end(), *model) != models.end()) {
      return FieldError(Reason::kGpuModelRepeated, field, name, "each model once");
    }
    models.push_back(*model);
  }
  return models;
}

Result<Seconds> ParseRequestDuration(const RawRequest& raw, const std::string& path) {
  const std::string field = path + ".duration";
  const std::string limit = FormatDuration(kDurationMin) + " to " + FormatDuration(kDurationMax);
  if (!raw.duration) return FieldError(Reason::kFieldRequired, field, "", limit);
  if (*raw.duration < kDurationMin || *raw.duration > kDurationMax) {
    return FieldError(Reason::kDurationOutOfRange, field, FormatDuration(*raw.duration), limit);
  }
  return *raw.duration;
}

Result<std::optional<Instant>> ParseEarliestStart(const RawRequest& raw, Instant now,
                                                  const std::string& path) {
  if (!raw.earliest_start) return std::optional<Instant>();
  const Instant latest = now + kAheadMax;
  if (*raw.earliest_start < now - kEarliestStartGrace || *raw.earliest_start > latest) {
    return FieldError(Reason::kEarliestStartOutOfRange, path + ".earliest_start",
                      FormatRfc3339(*raw.earliest_start),
                      FormatRfc3339(now) + " (now) to " + FormatRfc3339(latest));
  }
  return std::optional(std::max(*raw.earliest_start, now));
}

/// Requires: the duration and the earliest start were checked.
Result<std::optional<Instant>> ParseDeadline(const RawRequest& raw, Instant now, Instant earliest,
                                             Seconds duration, const std::string& path) {
  if (!raw.deadline) return std::optional<Instant>();
  const std::string field = path + ".deadline";
  const std::string value = FormatRfc3339(*raw.deadline);
  const Instant latest = now + kAheadMax;
  if (*raw.deadline > latest) {
    return FieldError(Reason::kTimeOutOfRange, field, value, FormatRfc3339(latest) + " or earlier");
  }
  const Instant earliest_end = earliest + duration;
  if (*raw.deadline < earliest_end) {
    return FieldError(Reason::kDeadlineTooEarly, field, value,
                      FormatRfc3339(earliest_end) + " or later, the earliest possible end");
  }
  return raw.deadline;
}

/// What it takes of the second model, where it asks for that.
Result<std::optional<ExchangedShape>> ParseExchange(const RawRequest& raw, const Request& request,
                                                    const Policy& policy, const std::string& path) {
  if (!raw.exchange) return std::optional<ExchangedShape>();
  if (request.models.size() < 2) {
    return FieldError(Reason::kFieldNotAllowed, path + ".exchange", "true",
                      "exchange only between two models: give both, or none for any");
  }
  static_assert(kGpuModelCount == 2, "of a third model it would take something else again");
  const Exchange how = raw.gpus ? Exchange::kByGpu : Exchange::kByNode;
  const Shape exchanged =
      ExchangedFor(request.shape, request.models[0], request.models[1], how, policy);
  if (exchanged.gpus() > kGpusMax || exchanged.nodes > kNodesMax) {
    return FieldError(raw.gpus ? Reason::kGpusOutOfRange : Reason::kNodesOutOfRange,
                      path + (raw.gpus ? ".gpus" : ".node_shape.nodes"),
                      std::to_string(raw.gpus ? request.shape.gpus() : request.shape.nodes),
                      "what takes at most " + FormatCount(kGpusMax) + " GPUs on " +
                          FormatCount(kNodesMax) + " nodes of each model by the exchange rate");
  }
  return std::optional(ExchangedShape{request.models[1], exchanged});
}

/// How far it may grow, in GPUs.
Result<std::optional<int>> ParseGrowth(const RawRequest& raw, const Request& request,
                                       const std::string& path) {
  if (!raw.gpus_max && !raw.nodes_max) return std::optional<int>();
  const Shape& shape = request.shape;
  const std::string field = path + (raw.gpus_max ? ".gpus_max" : ".nodes_max");
  const std::string value = std::to_string(raw.gpus_max ? *raw.gpus_max : *raw.nodes_max);
  if (raw.gpus_max.has_value() != raw.gpus.has_value()) {
    return FieldError(Reason::kFieldNotAllowed, field, value,
                      raw.gpus_max ? "gpus_max only with gpus; with node_shape, nodes_max"
                                   : "nodes_max only with node_shape; with gpus, gpus_max");
  }
  if (request.exchanged) {
    return FieldError(Reason::kFieldNotAllowed, field, value,
                      "none with exchange: what is added is of the same model");
  }
  // In steps, so that the maximum cannot pass what can be counted.
  const int step = shape.gpus_per_node;
  const int min = raw.gpus_max ? shape.gpus() + 1 : shape.nodes + 1;
  const int max = raw.gpus_max ? std::min(kGpusMax, shape.gpus() + kGrowthStepsMax * step)
                               : std::min(kNodesMax, shape.nodes + kGrowthStepsMax);
  ALLOT_ASSIGN_OR_RETURN(
      const int count, ParseCount(raw.gpus_max ? Reason::kGpusOutOfRange : Reason::kNodesOutOfRange,
                                  field, raw.gpus_max ? *raw.gpus_max : *raw.nodes_max, min, max));
  return std::optional(raw.gpus_max ? count : count * step);
}

Result<Seconds> ParseSameLeafWait(const RawRequest& raw, const std::string& path) {
  const Seconds wait = raw.same_leaf_wait.value_or(Seconds{0});
  if (wait.count < 0 || wait > kAheadMax) {
    return FieldError(Reason::kDurationOutOfRange, path + ".same_leaf_wait", FormatDuration(wait),
                      "0s to " + FormatDuration(kAheadMax));
  }
  return wait;
}

}  // namespace

Shape ShapeForGpus(int gpus) {
  ALLOT_CHECK(gpus > 0);
  if (gpus <= kGpusPerNode) return {1, gpus, 0};
  return {gpus / kGpusPerNode, kGpusPerNode, gpus % kGpusPerNode};
}

std::vector<Shape> GrowthSteps(const Request& request) {
  std::vector<Shape> steps;
  int left = request.gpus_max.value_or(0) - request.shape.gpus();
  for (; left > 0; left -= request.shape.gpus_per_node) {
    steps.push_back({1, std::min(left, request.shape.gpus_per_node), 0});
  }
  return steps;
}

std::string Describe(const Shape& shape) {
  const std::string gpus_per_node = CountOf(shape.gpus_per_node, "GPU");
  if (shape.nodes == 1 && shape.remainder_gpus == 0 && shape.gpus_per_node < kGpusPerNode) {
    return gpus_per_node + " on 1 node";
  }
  std::string text = CountOf(shape.nodes, "node") + " x " + gpus_per_node;
  if (shape.remainder_gpus > 0) text += " + " + CountOf(shape.remainder_gpus, "GPU");
  return text;
}

std::optional<GpuSeconds> CostOn(const Request& request, GpuModel model) {
  return GpuSeconds::Of(request.ShapeOn(model).gpus(), request.duration);
}
std::optional<GpuSeconds> LowestCost(const Request& request) {
  int gpus = kGpusMax;
  for (const GpuModel model : request.models) {
    gpus = std::min(gpus, request.ShapeOn(model).gpus());
  }
  return GpuSeconds::Of(gpus, request.duration);
}
std::optional<GpuSeconds> HighestCost(const Request& request) {
  int gpus = 0;
  for (const GpuModel model : request.models) {
    gpus = std::max(gpus, request.ShapeOn(model).gpus());
  }
  return GpuSeconds::Of(gpus, request.duration);
}

Shape ExchangedFor(const Shape& shape, GpuModel from, GpuModel to, Exchange how,
                   const Policy& policy) {
  const auto worth = [&](GpuModel model) {
    return int64_t{model == GpuModel::kB200 ? policy.b200_worth_permille : 1000};
  };
  const auto rounded_up = [](int64_t a, int64_t b) { return static_cast<int>((a + b - 1) / b); };
  if (how == Exchange::kByNode) {
    return {rounded_up(shape.nodes * worth(from), worth(to)), shape.gpus_per_node, 0};
  }
  return ShapeForGpus(rounded_up(shape.gpus() * worth(from), worth(to)));
}

Result<Request> ParseRequest(const RawRequest& raw, Instant now, const Policy& policy,
                             const std::string& path) {
  Request request;
  ALLOT_ASSIGN_OR_RETURN(request.shape, ParseShape(raw, path));
  ALLOT_ASSIGN_OR_RETURN(request.models, ParseModels(raw, path));
  ALLOT_ASSIGN_OR_RETURN(request.exchanged, ParseExchange(raw, request, policy, path));
  ALLOT_ASSIGN_OR_RETURN(request.gpus_max, ParseGrowth(raw, request, path));
  ALLOT_ASSIGN_OR_RETURN(request.duration, ParseRequestDuration(raw, path));
  ALLOT_ASSIGN_OR_RETURN(request.earliest_start, ParseEarliestStart(raw, now, path));
  ALLOT_ASSIGN_OR_RETURN(
      request.deadline,
      ParseDeadline(raw, now, request.earliest_start.value_or(now), request.duration, path));
  request.preemptible = raw.preemptible;
  request.borrow = raw.borrow;
  if (raw.borrow && !raw.preemptible) {
    return FieldError(Reason::kFieldNotAllowed, path + ".borrow", "true",
                      "borrow only with preemptible: borrowed GPUs are taken back");
  }
  ALLOT_ASSIGN_OR_RETURN(request.same_leaf_wait, ParseSameLeafWait(raw, path));
  return request;
}

}  // namespace allot
