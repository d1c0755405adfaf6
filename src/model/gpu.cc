#include "allot/model/gpu.h"

#include "model/name_table.h"

namespace allot {
namespace {

constexpr NameTable<GpuModel, kGpuModelCount> kNames = {{"B200", "H200"}};

}  // namespace

std::string_view Name(GpuModel model) { return kNames.NameOf(model); }
std::optional<GpuModel> ParseGpuModel(std::string_view name) { return kNames.Parse(name); }

}  // namespace allot
