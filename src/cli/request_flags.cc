#include "cli/request_flags.h"

#include "cli/resource.h"
#include "cli/values.h"

namespace allot::cli {
namespace {

/// GPUs in all, or nodes and GPUs on each; the server judges whether they make sense.
Status ReadSize(const RequestFlags& flags, v1::AllocationRequest& request) {
  if (!flags.gpus.empty()) {
    ALLOT_ASSIGN_OR_RETURN(
        const int32_t gpus,
        ParseSmallCount("--gpus", flags.gpus, Reason::kGpusOutOfRange, 1, kGpusMax));
    request.set_gpus(gpus);
    if (!flags.gpus_max.empty()) {
      ALLOT_ASSIGN_OR_RETURN(
          const int32_t most,
          ParseSmallCount("--gpus-max", flags.gpus_max, Reason::kGpusOutOfRange, 1, kGpusMax));
      request.set_gpus_max(most);
    }
    return Ok{};
  }
  ALLOT_ASSIGN_OR_RETURN(
      const int32_t nodes,
      ParseSmallCount("--nodes", flags.nodes, Reason::kNodesOutOfRange, 1, kNodesMax));
  int32_t gpus_per_node = 8;
  if (!flags.gpus_per_node.empty()) {
    ALLOT_ASSIGN_OR_RETURN(gpus_per_node,
                           ParseSmallCount("--gpus-per-node", flags.gpus_per_node,
                                           Reason::kGpusPerNodeOutOfRange, 1, kGpusPerNodeMax));
  }
  request.mutable_node_shape()->set_nodes(nodes);
  request.mutable_node_shape()->set_gpus_per_node(gpus_per_node);
  if (!flags.nodes_max.empty()) {
    ALLOT_ASSIGN_OR_RETURN(
        const int32_t most,
        ParseSmallCount("--nodes-max", flags.nodes_max, Reason::kNodesOutOfRange, 1, kNodesMax));
    request.set_nodes_max(most);
  }
  return Ok{};
}

Result<v1::AllocationRequest> ReadAll(const RequestFlags& flags, Moments& moments) {
  v1::AllocationRequest request;
  ALLOT_RETURN_IF_ERROR(ReadSize(flags, request));
  ALLOT_ASSIGN_OR_RETURN(const auto models, ParseModels("--models", flags.models));
  for (const std::string& model : models) {
    request.add_models(model == "H200" ? v1::GPU_MODEL_H200 : v1::GPU_MODEL_B200);
  }
  ALLOT_ASSIGN_OR_RETURN(const Seconds length, ParseLength("--for", flags.length));
  request.mutable_duration()->set_seconds(length.count);
  if (!flags.start.empty()) {
    ALLOT_ASSIGN_OR_RETURN(const Instant start, moments.Read("--start", flags.start));
    *request.mutable_earliest_start() = TimestampOf(start);
  }
  if (!flags.deadline.empty()) {
    ALLOT_ASSIGN_OR_RETURN(const Instant deadline, moments.Read("--deadline", flags.deadline));
    *request.mutable_deadline() = TimestampOf(deadline);
  }
  // What is borrowed is taken back.
  request.set_preemptible(flags.preemptible || flags.borrow);
  request.set_borrow(flags.borrow);
  request.set_exchange(flags.exchange);
  if (!flags.same_leaf_wait.empty()) {
    ALLOT_ASSIGN_OR_RETURN(const Seconds wait,
                           ParseLength("--same-leaf-wait", flags.same_leaf_wait));
    request.mutable_same_leaf_wait()->set_seconds(wait.count);
  }
  return request;
}

}  // namespace

CLI::Option* AddRequestFlags(CLI::App& command, RequestFlags& flags) {
  command.add_option("--gpus", flags.gpus, "GPUs in all, on as few nodes as hold them");
  command.add_option("--nodes", flags.nodes, "Nodes, all in one cluster");
  command.add_option("--gpus-per-node", flags.gpus_per_node, "GPUs on each node, 1 to 8 (8)");
  command.add_option("--gpus-max", flags.gpus_max,
                     "Elastic, with --gpus: grows to so many while there is room");
  command.add_option("--nodes-max", flags.nodes_max, "The same with --nodes");
  command.add_option("--models", flags.models,
                     "H200, B200, both in order of preference, or any (any)");
  command.add_flag("--exchange", flags.exchange,
                   "That many of the first model, or of the other what does the same work");
  command.add_option("--start", flags.start, "Not before: RFC 3339, or +2h");
  command.add_option("--deadline", flags.deadline, "Ended by: RFC 3339, or +30d");
  command.add_flag("--preemptible", flags.preemptible,
                   "May be stopped for work that may not; the rest waits again");
  command.add_flag("--borrow", flags.borrow,
                   "Beyond the quota, behind all within theirs; preemptible");
  command.add_option("--same-leaf-wait", flags.same_leaf_wait,
                     "Start up to so much later if all nodes then hang from one leaf: 6h, 2d");
  return command.add_option("--for,--duration", flags.length, "How long: 90m, 4h, 7d, 2w");
}

Outcome<v1::AllocationRequest> ReadRequest(const RequestFlags& flags, Moments& moments,
                                           const std::string& command) {
  const std::string help = "'" + command + " --help' has examples.";
  if (flags.gpus.empty() == flags.nodes.empty()) {
    return UsageFailure("give either --gpus, or --nodes (and --gpus-per-node)", help);
  }
  if (!flags.gpus.empty() && !flags.gpus_per_node.empty()) {
    return UsageFailure("--gpus is GPUs in all: --gpus-per-node goes with --nodes", help);
  }
  if (!flags.gpus_max.empty() && flags.gpus.empty()) {
    return UsageFailure("--gpus-max goes with --gpus; with --nodes, give --nodes-max", help);
  }
  if (!flags.nodes_max.empty() && flags.nodes.empty()) {
    return UsageFailure("--nodes-max goes with --nodes; with --gpus, give --gpus-max", help);
  }
  auto request = ReadAll(flags, moments);
  if (!request.ok()) return FailureOf(request.error());
  return *std::move(request);
}

}  // namespace allot::cli
