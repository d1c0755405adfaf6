#include "allot/model/policy.h"

#include "model/name_table.h"

namespace allot {
namespace {

constexpr NameTable<NodeLoss, 2> kNodeLosses = {{"requeue", "fail"}};

}  // namespace

std::string_view Name(NodeLoss loss) { return kNodeLosses.NameOf(loss); }
std::optional<NodeLoss> ParseNodeLoss(std::string_view name) { return kNodeLosses.Parse(name); }

Policy DefaultPolicy() {
  Policy policy;
  // The day the first call opened: anybody may repeat the draw.
  policy.tie_seed = 20'251'222;
  policy.gathering_time = Seconds{10};
  policy.release_time = Minutes(5);
  // Awards run for months: a bound of days would soon have age decide everything and merit nothing.
  policy.starvation_bound = Days(90);
  // In the order of `kGpuModels`: B200, H200. National projects run on NHN's B200, up to the whole
  // of a 255-node cluster.
  policy.programmes = {
      {ProgrammeId("call-2026-1"), {128, 256}, Days(366)},
      {ProgrammeId("national"), {255 * kGpusPerNode, 0}, Days(366)},
  };
  return policy;
}

const ProgrammeCaps* FindCaps(const Policy& policy, const ProgrammeId& programme) {
  for (const ProgrammeCaps& caps : policy.programmes) {
    if (caps.programme == programme) return &caps;
  }
  return nullptr;
}

}  // namespace allot
