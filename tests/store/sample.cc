#include "store/sample.h"

namespace allot::store {

Cluster SampleCluster(const std::string& id, GpuModel model) {
  return {.id = ClusterId(id),
          .provider = ProviderId("naver"),
          .display_name = "Cluster " + id,
          .model = model,
          .programmes = {ProgrammeId("call-2026-1"), ProgrammeId("national")}};
}

Node SampleNode(const std::string& cluster, int number) {
  return {.id = NodeId(cluster + "/n" + std::to_string(number)), .cluster = ClusterId(cluster)};
}

Institute SampleInstitute(const std::string& id) {
  return {.id = InstituteId(id), .display_name = "Institute " + id};
}

Project SampleProject(const std::string& id) {
  return {.id = ProjectId(id),
          .institute = InstituteOf(ProjectId(id)),
          .programme = ProgrammeId("call-2026-1"),
          .display_name = "Project \"" + id + "\" {,} \\ é",
          .merit = 700,
          .create_time = kNow};
}

Allocation SampleAllocation(const std::string& id) {
  return {.id = AllocationId(id),
          .project = ProjectOf(AllocationId(id)),
          .display_name = "Training, first \"run\"",
          .request = {.shape = {.nodes = 1, .gpus_per_node = 8},
                      .models = {GpuModel::kH200, GpuModel::kB200},
                      .duration = Hours(4)},
          .create_time = kNow,
          .update_time = kNow};
}

Claim SampleClaim(const Allocation& allocation, const std::string& node, GpuMask gpus) {
  return {.allocation = allocation.id,
          .attempt = allocation.attempt,
          .node = NodeId(node),
          .gpus = gpus,
          .window = allocation.window.value_or(WindowOf(kNow, Hours(4)))};
}

Order SampleOrder(const std::string& id, const Claim& claim, OrderKind kind) {
  return {.id = OrderId(id),
          .cluster = ClusterOf(claim.node),
          .allocation = claim.allocation,
          .attempt = claim.attempt,
          .kind = kind,
          .nodes = {{claim.node, claim.gpus}},
          .window = claim.window,
          .epoch = 1,
          .create_time = kNow};
}

Status EnterSample(Store& store) {
  return Write(store, [](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(
        tx.InsertProvider({.id = ProviderId("naver"), .display_name = "NAVER Cloud"}));
    ALLOT_RETURN_IF_ERROR(tx.InsertCluster(SampleCluster("naver-a")));
    ALLOT_RETURN_IF_ERROR(tx.InsertCluster(SampleCluster("naver-b", GpuModel::kB200)));
    std::vector<Node> nodes;
    for (const std::string cluster : {"naver-a", "naver-b"}) {
      for (int number = 1; number <= 4; ++number) nodes.push_back(SampleNode(cluster, number));
    }
    ALLOT_RETURN_IF_ERROR(tx.InsertNodes(nodes));
    for (const std::string institute : {"snu", "kaist"}) {
      ALLOT_RETURN_IF_ERROR(tx.InsertInstitute(SampleInstitute(institute)));
      ALLOT_RETURN_IF_ERROR(tx.InsertProject(SampleProject(institute + "/llm")));
    }
    return Ok{};
  });
}

Status Move(Tx& tx, Allocation& allocation, AllocationState state) {
  allocation.state = state;
  return tx.UpdateAllocations(std::span(&allocation, 1));
}

Changes ChangesAfter(Store& store, Revision after) {
  const auto all = [](Tx& tx) { return tx.ChangesAfter(0, ""); };
  const std::string history = Read(store, all).value().history;
  return Read(store, [&](Tx& tx) { return tx.ChangesAfter(after, history); }).value();
}

Status Reserve(Tx& tx, Allocation& allocation, const std::string& node, GpuMask gpus) {
  ++allocation.attempt;
  allocation.window = WindowOf(kNow, allocation.request.duration);
  allocation.cluster = ClusterOf(NodeId(node));
  ALLOT_RETURN_IF_ERROR(Move(tx, allocation, AllocationState::kProvisioning));
  const Claim claim = SampleClaim(allocation, node, gpus);
  return tx.InsertClaims(std::span(&claim, 1));
}

}  // namespace allot::store
