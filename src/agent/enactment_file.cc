#include "agent/enactment_file.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "allot/model/name.h"

namespace allot::agent {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::array<std::string_view, 5> kStateNames = {"provisioning", "provisioned", "failed",
                                                         "releasing", "released"};

/// Reads members of a record; the first that is not what it must be is kept.
class RecordReader {
 public:
  RecordReader(const json& object, const std::string& file) : object_(object), file_(file) {}

  std::string Text(const char* key) {
    const auto found = object_.find(key);
    if (found == object_.end() || !found->is_string()) return Refuse(key, "a string"), "";
    return found->get<std::string>();
  }

  int64_t Number(const char* key, int64_t min, int64_t max) {
    const auto found = object_.find(key);
    if (found == object_.end() || !found->is_number_integer() || found->get<int64_t>() < min ||
        found->get<int64_t>() > max) {
      return Refuse(key, "a whole number"), 0;
    }
    return found->get<int64_t>();
  }

  Instant Time(const char* key) {
    const auto time = ParseRfc3339(Text(key));
    if (!time) Refuse(key, "a time such as 2026-03-01T00:00:00Z");
    return time.value_or(Instant{});
  }

  std::vector<OrderedNode> Nodes(const char* key) {
    std::vector<OrderedNode> nodes;
    const auto found = object_.find(key);
    if (found == object_.end() || !found->is_array()) return Refuse(key, "a list of nodes"), nodes;
    for (const json& entry : *found) {
      const auto node = ReadNode(entry);
      if (!node) return Refuse(key, "nodes with their GPUs from 0 to 7"), nodes;
      nodes.push_back(*node);
    }
    return nodes;
  }

  void Refuse(const std::string& key, const std::string& expected) {
    if (error_) return;
    error_ = Error{Reason::kConfigInvalid, key, "", expected,
                   file_ + " is damaged: " + key + " is not " + expected};
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  static std::optional<OrderedNode> ReadNode(const json& entry) {
    if (!entry.is_object()) return std::nullopt;
    const auto name = entry.find("node");
    const auto gpus = entry.find("gpus");
    if (name == entry.end() || !name->is_string() || gpus == entry.end() || !gpus->is_array()) {
      return std::nullopt;
    }
    const auto id = ParseNodeId(name->get<std::string>());
    if (!id) return std::nullopt;
    OrderedNode node{*id, 0};
    for (const json& gpu : *gpus) {
      if (!gpu.is_number_integer()) return std::nullopt;
      const auto index = gpu.get<int64_t>();
      if (index < 0 || index >= kGpusPerNode) return std::nullopt;
      node.gpus = static_cast<GpuMask>(node.gpus | (1U << index));
    }
    return node;
  }

  const json& object_;
  const std::string& file_;
  std::optional<Error> error_;
};

}  // namespace

std::string_view Name(EnactmentState state) {
  return kStateNames.at(static_cast<std::size_t>(state));
}

std::optional<EnactmentState> ParseEnactmentState(std::string_view name) {
  const auto found = std::ranges::find(kStateNames, name);
  if (found == kStateNames.end()) return std::nullopt;
  return static_cast<EnactmentState>(found - kStateNames.begin());
}

std::string EnactmentFileName(const AllocationId& allocation, int attempt) {
  std::string name = allocation.str();
  std::ranges::replace(name, '/', '.');
  return name + "." + std::to_string(attempt) + ".json";
}

std::string RenderEnactment(const Enactment& enactment) {
  ordered_json nodes = ordered_json::array();
  for (const OrderedNode& node : enactment.nodes) {
    ordered_json gpus = ordered_json::array();
    for (int gpu = 0; gpu < kGpusPerNode; ++gpu) {
      if ((node.gpus & (1U << gpu)) != 0) gpus.push_back(gpu);
    }
    nodes.push_back({{"node", node.node.str()}, {"gpus", std::move(gpus)}});
  }
  const ordered_json record = {
      {"allocation", enactment.allocation.str()},
      {"attempt", enactment.attempt},
      {"state", Name(enactment.state)},
      {"epoch", enactment.epoch},
      {"order", enactment.order.str()},
      {"start_time", FormatRfc3339(enactment.window.start())},
      {"end_time", FormatRfc3339(enactment.window.end())},
      {"update_time", FormatRfc3339(enactment.update_time)},
      {"message", enactment.message},
      {"nodes", std::move(nodes)},
  };
  return record.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

Result<Enactment> ParseEnactment(std::string_view text, const std::string& file) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) {
    return Error{Reason::kConfigInvalid, "", "", "a JSON object",
                 file + " is damaged: it is not a JSON object"};
  }
  RecordReader reader(object, file);
  Enactment enactment;
  const auto allocation = ParseAllocationId(reader.Text("allocation"));
  if (!allocation) reader.Refuse("allocation", "an allocation's id");
  enactment.allocation = allocation.value_or(AllocationId());
  enactment.attempt =
      static_cast<int>(reader.Number("attempt", 1, std::numeric_limits<int>::max()));
  const auto state = ParseEnactmentState(reader.Text("state"));
  if (!state) reader.Refuse("state", "the state of an enactment");
  enactment.state = state.value_or(EnactmentState::kProvisioning);
  enactment.epoch = reader.Number("epoch", 0, std::numeric_limits<int64_t>::max());
  enactment.order = OrderId(reader.Text("order"));
  const auto window = TimeWindow::Make(reader.Time("start_time"), reader.Time("end_time"));
  if (!window) reader.Refuse("end_time", "after start_time");
  if (window) enactment.window = *window;
  enactment.update_time = reader.Time("update_time");
  enactment.message = reader.Text("message");
  enactment.nodes = reader.Nodes("nodes");
  if (reader.error()) return *reader.error();
  return enactment;
}

}  // namespace allot::agent
