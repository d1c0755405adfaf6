#include <memory>

#include "cli/commands.h"
#include "cli/place.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

struct DrainFlags {
  std::string place;
  std::string reason;
  bool dry_run = false;
};

void ShowNodes(Session& session, const Repeated<v1::Node>& nodes, const DrainFlags& flags) {
  v1::ListNodesResponse all;
  *all.mutable_nodes() = nodes;
  if (flags.dry_run) session.output().Note("dry run: nothing was changed; it would become");
  session.output().Show(all, NodeTable(all.nodes()), NamesOf(all.nodes()));
}

/// Draining and its reverse differ in their requests only.
template <class NodeRequest, class ClusterRequest, class ClusterResponse>
ExitCode Set(Session& session, const DrainFlags& flags,
             Method<Operators, NodeRequest, v1::Node> set_node,
             Method<Operators, ClusterRequest, ClusterResponse> set_cluster) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto place = FindPlace(**client, flags.place);
  if (!place.ok()) return session.Fail(place.failure());
  if (!place->node.empty()) {
    NodeRequest request;
    request.set_name(place->node);
    request.set_reason(flags.reason);
    request.set_validate_only(flags.dry_run);
    const auto node = (*client)->Call(set_node, request);
    if (!node.ok()) return session.Fail(node.failure());
    Repeated<v1::Node> nodes;
    *nodes.Add() = *node;
    ShowNodes(session, nodes, flags);
    return ExitCode::kOk;
  }
  ClusterRequest request;
  request.set_name(place->cluster);
  request.set_reason(flags.reason);
  request.set_validate_only(flags.dry_run);
  const auto answer = (*client)->Call(set_cluster, request);
  if (!answer.ok()) return session.Fail(answer.failure());
  ShowNodes(session, answer->nodes(), flags);
  return ExitCode::kOk;
}

}  // namespace

void AddDrainCommands(CLI::App& root, Action& chosen) {
  auto drain_flags = std::make_shared<DrainFlags>();
  CLI::App* drain =
      AddCommand(root, "drain", "Places nothing new on a node or cluster; running work goes on",
                 "  allot drain naver-a/node-017 --reason \"memory errors\"\n"
                 "  allot drain nhn-b --reason \"maintenance on 2026-04-02\"");
  drain->add_option("place", drain_flags->place, "CLUSTER or CLUSTER/NODE")->required();
  drain->add_option("--reason", drain_flags->reason, "Shown to operators; kept in the audit")
      ->required();
  drain->add_flag("--dry-run", drain_flags->dry_run, "Check everything, change nothing");
  drain->callback([&chosen, drain_flags] {
    chosen = [drain_flags](Session& session) {
      return Set<v1::DrainNodeRequest, v1::DrainClusterRequest, v1::DrainClusterResponse>(
          session, *drain_flags, &Operators::DrainNode, &Operators::DrainCluster);
    };
  });

  auto undrain_flags = std::make_shared<DrainFlags>();
  CLI::App* undrain = AddCommand(root, "undrain", "Takes a node or cluster back into service",
                                 "  allot undrain naver-a/node-017 --reason \"memory replaced\"");
  undrain->add_option("place", undrain_flags->place, "CLUSTER or CLUSTER/NODE")->required();
  undrain->add_option("--reason", undrain_flags->reason, "Kept in the audit");
  undrain->add_flag("--dry-run", undrain_flags->dry_run, "Check everything, change nothing");
  undrain->callback([&chosen, undrain_flags] {
    chosen = [undrain_flags](Session& session) {
      return Set<v1::UndrainNodeRequest, v1::UndrainClusterRequest, v1::UndrainClusterResponse>(
          session, *undrain_flags, &Operators::UndrainNode, &Operators::UndrainCluster);
    };
  });
}

}  // namespace allot::cli
