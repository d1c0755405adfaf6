#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

namespace allot {

inline constexpr int kGpusPerNode = 8;

/// In the order of their names; also the order of `kGpuModels`.
enum class GpuModel : uint8_t { kB200, kH200 };
inline constexpr std::array kGpuModels = {GpuModel::kB200, GpuModel::kH200};
inline constexpr int kGpuModelCount = static_cast<int>(kGpuModels.size());

/// "B200", "H200".
std::string_view Name(GpuModel model);
std::optional<GpuModel> ParseGpuModel(std::string_view name);

/// Which of a node's eight GPUs: bit i is GPU i.
using GpuMask = uint8_t;
constexpr int CountGpus(GpuMask mask) { return std::popcount(mask); }

}  // namespace allot
