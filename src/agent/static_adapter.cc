#include "agent/static_adapter.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "agent/folder_entries.h"
#include "allot/base/text.h"
#include "allot/model/name.h"

namespace allot::agent {
namespace {

/// Both of the API.
constexpr std::size_t kReasonBytesMax = 500;
constexpr const char* kNoReason = "marked as not working by the provider";

/// The start of a file as one line of plain text.
std::string ReadReason(const std::filesystem::path& path) {
  std::ifstream input(path, std::ios::binary);
  std::array<char, kReasonBytesMax> buffer{};
  input.read(buffer.data(), buffer.size());
  std::string_view text(buffer.data(), static_cast<std::size_t>(input.gcount()));
  std::string reason;
  while (!text.empty()) {
    const auto character = FirstCharacter(text);
    const std::size_t bytes = character ? character->bytes : 1;
    const bool plain = character && !IsControl(character->code_point);
    reason += plain ? text.substr(0, bytes) : " ";
    text.remove_prefix(bytes);
  }
  const std::size_t end = reason.find_last_not_of(' ');
  if (end == std::string::npos) return kNoReason;
  reason.erase(end + 1);
  return reason.substr(reason.find_first_not_of(' '));
}

}  // namespace

StaticAdapter::StaticAdapter(Site site, Options options)
    : options_(std::move(options)), site_(std::move(site)) {}

Result<std::vector<NodeReport>> StaticAdapter::Inventory() {
  const std::lock_guard lock(mutex_);
  ALLOT_ASSIGN_OR_RETURN(const auto entries, EntriesOf(options_.health_folder));
  std::map<std::string, std::string> reasons;
  for (const std::filesystem::directory_entry& entry : entries) {
    const std::string name = entry.path().filename().string();
    // Editors and half-written files come with dots, which no node has.
    if (!CheckName(name, "node").ok()) continue;
    // A pipe would hold the agent up until somebody writes to it; what is gone meanwhile marks
    // nobody.
    std::error_code gone;
    if (!entry.is_regular_file(gone)) continue;
    if (site_.Has(name)) {
      reasons.emplace(name, ReadReason(entry.path()));
    } else if (strangers_.insert(name).second) {
      options_.log(LogLevel::kWarn, "the health folder names a node that the site file has not",
                   {{"node", name}});
    }
  }
  std::vector<NodeReport> nodes;
  nodes.reserve(site_.nodes.size());
  for (const auto& [name, leaf] : site_.nodes) {
    const auto reason = reasons.find(name);
    const bool healthy = reason == reasons.end();
    nodes.push_back({name, healthy, healthy ? "" : reason->second, leaf});
  }
  return nodes;
}

Progress StaticAdapter::Provision(const Order& order, int64_t) {
  int64_t delay_ms = 0;
  {
    const std::lock_guard lock(mutex_);
    delay_ms = site_.simulated_provisioning_delay.count * 1'000;
    for (const OrderedNode& node : order.nodes) {
      const std::string name = node.node.str().substr(node.node.str().find('/') + 1);
      const bool ours = ClusterOf(node.node) == site_.cluster && site_.Has(name);
      if (!ours) return Progress::Failed("the site file has no node " + Printable(node.node.str()));
    }
  }
  if (delay_ms == 0) return Progress::Done();
  const int64_t now_ms = options_.steady_ms();
  const std::pair key(order.allocation, order.attempt);
  const int64_t ready_ms = ready_ms_.emplace(key, now_ms + delay_ms).first->second;
  if (now_ms < ready_ms) return Progress::UnderWay(ready_ms - now_ms);
  ready_ms_.erase(key);
  return Progress::Done();
}

Progress StaticAdapter::Release(const Order& order, int64_t) {
  ready_ms_.erase({order.allocation, order.attempt});
  return Progress::Done();
}

Status StaticAdapter::Reload() {
  ALLOT_ASSIGN_OR_RETURN(Site site, ReadSite(options_.site_file));
  const std::lock_guard lock(mutex_);
  if (site.provider != site_.provider || site.cluster != site_.cluster ||
      site.gpu_model != site_.gpu_model) {
    return StateError(Reason::kConfigInvalid,
                      options_.site_file +
                          ": provider, cluster and gpu_model cannot change while the agent runs: "
                          "restart it");
  }
  site_ = std::move(site);
  strangers_.clear();
  return Ok{};
}

}  // namespace allot::agent
