#include "cli/resource.h"

#include "allot/base/gpu_seconds.h"
#include "cli/resource_name.h"
#include "cli/text.h"

namespace allot::cli {
namespace {

constexpr int kGpusPerNode = 8;

/// "SECTOR_ACADEMIA" without its prefix, in small letters.
std::string SmallWord(std::string_view name, std::string_view prefix, int number) {
  if (name.empty()) return std::to_string(number);
  if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  std::string word(name);
  for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return word;
}

std::string TimeText(bool given, const google::protobuf::Timestamp& time) {
  return given ? FormatRfc3339(InstantOf(time)) : "";
}

std::string GpuHoursText(int64_t gpu_seconds) {
  // Formatting rounds to a tenth of an hour; what it would hide is shown in full.
  if (gpu_seconds % 360 != 0) return std::to_string(gpu_seconds) + " GPU-seconds";
  std::string text = FormatGpuHours(GpuSeconds::FromCount(gpu_seconds));
  return text.substr(0, text.find(' '));
}

std::vector<FieldText> Fields(const v1::Provider& provider) {
  return {{"display_name", provider.display_name()}};
}

std::vector<FieldText> Fields(const v1::Cluster& cluster) {
  return {{"display_name", cluster.display_name()},
          {"model", Word(cluster.gpu_model())},
          {"programmes", Join({cluster.programmes().begin(), cluster.programmes().end()}, ",")}};
}

std::vector<FieldText> Fields(const v1::Institute& institute) {
  return {{"display_name", institute.display_name()}, {"sector", Word(institute.sector())}};
}

std::vector<FieldText> Fields(const v1::Project& project) {
  return {{"display_name", project.display_name()},
          {"programme", project.programme()},
          {"sector", Word(project.sector())},
          {"merit", std::to_string(project.merit())},
          {"open", !project.has_open() || project.open() ? "true" : "false"}};
}

std::vector<FieldText> Fields(const v1::Quota& quota) {
  return {{"concurrent_gpus.H200", std::to_string(quota.concurrent_gpus().h200())},
          {"concurrent_gpus.B200", std::to_string(quota.concurrent_gpus().b200())},
          {"gpu_hours", GpuHoursText(quota.gpu_seconds())}};
}

std::vector<FieldText> Fields(const v1::Allocation& allocation) {
  const v1::AllocationRequest& request = allocation.request();
  return {{"display_name", allocation.display_name()},
          {"size", SizeText(request)},
          {"grows_to", GrowthText(request)},
          {"models", ModelsText(request)},
          {"duration", FormatDuration(SecondsOf(request.duration()))},
          {"earliest_start", TimeText(request.has_earliest_start(), request.earliest_start())},
          {"deadline", TimeText(request.has_deadline(), request.deadline())},
          {"preemptible", request.preemptible() ? "true" : "false"},
          {"borrow", request.borrow() ? "true" : "false"},
          {"exchange", request.exchange() ? "true" : "false"},
          {"same_leaf_wait", FormatDuration(SecondsOf(request.same_leaf_wait()))},
          {"after", request.after().empty() ? "" : ShortName(request.after())}};
}

}  // namespace

std::string_view KindOf(const Resource& resource) {
  static constexpr std::string_view kKinds[] = {"Provider", "Cluster", "Institute",
                                                "Project",  "Quota",   "Allocation"};
  return kKinds[resource.index()];
}

const std::string& NameOf(const Resource& resource) {
  return std::visit([](const auto& r) -> const std::string& { return r.name(); }, resource);
}

std::vector<FieldText> FieldsOf(const Resource& resource) {
  return std::visit([](const auto& r) { return Fields(r); }, resource);
}

std::string Word(v1::Sector sector) {
  return SmallWord(v1::Sector_Name(sector), "SECTOR_", sector);
}

std::string Word(v1::GpuModel model) {
  const std::string& name = v1::GpuModel_Name(model);
  return name.starts_with("GPU_MODEL_") ? name.substr(10) : std::to_string(model);
}

std::string Word(v1::Allocation::State state) {
  return SmallWord(v1::Allocation::State_Name(state), "STATE_", state);
}

std::string Word(v1::Node::Health health) {
  return SmallWord(v1::Node::Health_Name(health), "HEALTH_", health);
}

std::string Word(v1::Proposal::State state) {
  return SmallWord(v1::Proposal::State_Name(state), "STATE_", state);
}

int64_t GpusOf(const v1::AllocationRequest& request) {
  if (request.has_node_shape()) {
    return int64_t{1} * request.node_shape().nodes() * request.node_shape().gpus_per_node();
  }
  return request.gpus();
}

namespace {

template <class Message>
std::string SizeOf(const Message& message) {
  int nodes = message.node_shape().nodes();
  int gpus_per_node = message.node_shape().gpus_per_node();
  if (!message.has_node_shape()) {
    // GPUs in all mean whole nodes where they fill them, and one node up to its size.
    const int gpus = message.gpus();
    if (gpus > kGpusPerNode && gpus % kGpusPerNode != 0) return std::to_string(gpus) + " GPUs";
    nodes = gpus > kGpusPerNode ? gpus / kGpusPerNode : 1;
    gpus_per_node = gpus > kGpusPerNode ? kGpusPerNode : gpus;
  }
  return std::to_string(nodes) + (nodes == 1 ? " node x " : " nodes x ") +
         std::to_string(gpus_per_node) + (gpus_per_node == 1 ? " GPU" : " GPUs");
}

}  // namespace

std::string SizeText(const v1::AllocationRequest& request) { return SizeOf(request); }

std::string GrowthText(const v1::AllocationRequest& request) {
  const int64_t gpus = request.has_nodes_max()
                           ? int64_t{1} * request.nodes_max() * request.node_shape().gpus_per_node()
                           : request.gpus_max();
  return gpus == 0 ? "" : std::to_string(gpus) + " GPUs";
}

std::string AskText(const v1::AllocationRequest& request) {
  if (!request.has_exchanged_size()) return SizeOf(request) + " of " + ModelsText(request);
  const v1::ExchangedSize& exchanged = request.exchanged_size();
  std::string text;
  for (const int model : request.models()) {
    text += text.empty() ? "" : ", or ";
    text += model == exchanged.model() ? SizeOf(exchanged) : SizeOf(request);
    text += " of " + Word(static_cast<v1::GpuModel>(model));
  }
  return text;
}

std::string ModelsText(const v1::AllocationRequest& request) {
  std::string text;
  for (const int model : request.models()) {
    text += (text.empty() ? "" : ",") + Word(static_cast<v1::GpuModel>(model));
  }
  return text.empty() ? "any" : text;
}

Instant InstantOf(const google::protobuf::Timestamp& time) {
  return {time.seconds() * 1'000'000 + time.nanos() / 1'000};
}

google::protobuf::Timestamp TimestampOf(Instant instant) {
  google::protobuf::Timestamp time;
  time.set_seconds(instant.seconds());
  time.set_nanos(static_cast<int>((instant.micros - instant.seconds() * 1'000'000) * 1'000));
  return time;
}

Seconds SecondsOf(const google::protobuf::Duration& duration) { return {duration.seconds()}; }

}  // namespace allot::cli
