#include "cli/manifest.h"

#include <yaml-cpp/yaml.h>

#include <array>
#include <map>
#include <optional>

#include "allot/base/text.h"
#include "cli/manifest_fields.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/values.h"
#include "cli/yaml_documents.h"

namespace allot::cli {
namespace {

// As docs/api.md states them; checked here too, so that a file is refused before anything of it is
// sent.
constexpr int64_t kGpuSecondsMax = 1'000'000'000'000'000;
constexpr Seconds kDurationMin = Minutes(1);
constexpr Seconds kDurationMax = Days(366);
constexpr std::size_t kDisplayNameBytesMax = 256;

template <class Message>
void ReadDisplayName(ManifestFields& fields, Message& message) {
  const auto text = fields.Text("display_name");
  if (!text) return;
  if (text->size() > kDisplayNameBytesMax || !IsPlainText(*text)) {
    fields.Note("display_name", *text, "at most 256 bytes of UTF-8 without control characters");
    return;
  }
  message.set_display_name(*text);
}

/// A word of a proto enum, given without its prefix.
template <class Enum, class Parse>
std::optional<Enum> ReadWord(ManifestFields& fields, const std::string& field,
                             const std::string& prefix, const std::string& expected,
                             const Parse& parse) {
  const auto text = fields.RequiredText(field, expected);
  if (!text) return std::nullopt;
  std::string name = prefix + *text;
  for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  Enum value{};
  if (parse(name, &value) && value != Enum{}) return value;
  fields.Note(field, *text, expected);
  return std::nullopt;
}

template <class Message>
void ReadSector(ManifestFields& fields, Message& message) {
  const auto sector =
      ReadWord<v1::Sector>(fields, "sector", "SECTOR_", "academia, industry, research or national",
                           [](const auto& name, auto* to) { return v1::Sector_Parse(name, to); });
  if (sector) message.set_sector(*sector);
}

v1::Provider ReadProvider(ManifestFields& fields) {
  v1::Provider provider;
  if (const auto id = fields.Id("id", 1, "PROVIDER")) provider.set_name("providers/" + id->at(0));
  ReadDisplayName(fields, provider);
  return provider;
}

v1::Cluster ReadCluster(ManifestFields& fields) {
  v1::Cluster cluster;
  const auto id = fields.Id("id", 1, "CLUSTER");
  const auto provider = fields.Id("provider", 1, "PROVIDER");
  if (id && provider) cluster.set_name("providers/" + provider->at(0) + "/clusters/" + id->at(0));
  ReadDisplayName(fields, cluster);
  const auto model = ReadWord<v1::GpuModel>(
      fields, "model", "GPU_MODEL_", "H200 or B200",
      [](const auto& name, auto* to) { return v1::GpuModel_Parse(name, to); });
  if (model) cluster.set_gpu_model(*model);
  if (!fields.Has("programmes")) {
    fields.Note("programmes", "missing", "a list of programmes such as [call-2026-1]");
  }
  if (const auto programmes = fields.List("programmes")) {
    // Sorted, as the server keeps them.
    const std::set<std::string> sorted(programmes->begin(), programmes->end());
    for (const std::string& programme : sorted) cluster.add_programmes(programme);
  }
  return cluster;
}

v1::Institute ReadInstitute(ManifestFields& fields) {
  v1::Institute institute;
  if (const auto id = fields.Id("id", 1, "INSTITUTE"))
    institute.set_name("institutes/" + id->at(0));
  ReadDisplayName(fields, institute);
  ReadSector(fields, institute);
  return institute;
}

std::string ProjectNameOf(const std::vector<std::string>& id) {
  return "institutes/" + id.at(0) + "/projects/" + id.at(1);
}

v1::Project ReadProject(ManifestFields& fields) {
  v1::Project project;
  if (const auto id = fields.Id("id", 2, "INSTITUTE/PROJECT")) project.set_name(ProjectNameOf(*id));
  ReadDisplayName(fields, project);
  if (const auto programme = fields.Id("programme", 1, "PROGRAMME")) {
    project.set_programme(programme->at(0));
  }
  ReadSector(fields, project);
  if (const auto merit = fields.Count("merit", 0, kMeritMax)) {
    project.set_merit(static_cast<int>(*merit));
  }
  if (const auto open = fields.Bool("open")) project.set_open(*open);
  return project;
}

v1::Quota ReadQuota(ManifestFields& fields) {
  v1::Quota quota;
  if (const auto id = fields.Id("project", 2, "INSTITUTE/PROJECT")) {
    quota.set_name(ProjectNameOf(*id) + "/quota");
  }
  if (auto gpus = fields.Map("concurrent_gpus")) {
    if (const auto h200 = gpus->Count("H200", 0, kGpusMax)) {
      quota.mutable_concurrent_gpus()->set_h200(*h200);
    }
    if (const auto b200 = gpus->Count("B200", 0, kGpusMax)) {
      quota.mutable_concurrent_gpus()->set_b200(*b200);
    }
    gpus->Finish();
  }
  if (const auto text = fields.Text("gpu_hours")) {
    const auto seconds = ParseGpuHours("gpu_hours", *text);
    if (!seconds.ok()) {
      fields.Note("gpu_hours", seconds.error());
    } else if (*seconds > kGpuSecondsMax) {
      fields.Note("gpu_hours", *text, "0 to " + FormatCount(kGpuSecondsMax / 3'600));
    } else {
      quota.set_gpu_seconds(*seconds);
    }
  }
  return quota;
}

void ReadSize(ManifestFields& fields, v1::AllocationRequest& request) {
  const auto gpus = fields.Count("gpus", 1, kGpusMax);
  const auto nodes = fields.Count("nodes", 1, kNodesMax);
  const auto gpus_per_node = fields.Count("gpus_per_node", 1, kGpusPerNodeMax);
  const auto gpus_max = fields.Count("gpus_max", 1, kGpusMax);
  const auto nodes_max = fields.Count("nodes_max", 1, kNodesMax);
  if (gpus_max && !fields.Has("gpus")) {
    fields.Note("gpus_max", std::to_string(*gpus_max), "none without gpus; with nodes, nodes_max");
  }
  if (nodes_max && !fields.Has("nodes")) {
    fields.Note("nodes_max", std::to_string(*nodes_max), "none without nodes; with gpus, gpus_max");
  }
  const bool by_node = fields.Has("nodes") || fields.Has("gpus_per_node");
  if (fields.Has("gpus") && by_node) {
    fields.Note("gpus", gpus ? std::to_string(*gpus) : "",
                "either gpus, or nodes and gpus_per_node, not both");
  } else if (!fields.Has("gpus") && !fields.Has("nodes")) {
    fields.Note("nodes", "missing", "either gpus, or nodes and gpus_per_node");
  } else if (gpus) {
    request.set_gpus(static_cast<int>(*gpus));
    if (gpus_max) request.set_gpus_max(static_cast<int>(*gpus_max));
  } else if (nodes) {
    request.mutable_node_shape()->set_nodes(static_cast<int>(*nodes));
    request.mutable_node_shape()->set_gpus_per_node(
        static_cast<int>(gpus_per_node.value_or(kGpusPerNodeMax)));
    if (nodes_max) request.set_nodes_max(static_cast<int>(*nodes_max));
  }
}

/// Never relative: an apply file must mean the same tomorrow.
std::optional<Instant> ReadTime(ManifestFields& fields, const std::string& field) {
  const auto text = fields.Text(field);
  if (!text) return std::nullopt;
  const auto time = ParseRfc3339(*text);
  if (!time) fields.Note(field, *text, "a time such as 2026-03-01T00:00:00Z");
  return time;
}

v1::Allocation ReadAllocation(ManifestFields& fields) {
  v1::Allocation allocation;
  if (const auto id = fields.Id("id", 3, "INSTITUTE/PROJECT/ALLOCATION")) {
    allocation.set_name(ProjectNameOf(*id) + "/allocations/" + id->at(2));
  }
  ReadDisplayName(fields, allocation);
  v1::AllocationRequest& request = *allocation.mutable_request();
  ReadSize(fields, request);
  if (const auto list = fields.List("models")) {
    const auto models = ParseModels("models", Join(*list, ","));
    if (!models.ok()) fields.Note("models", models.error());
    for (const std::string& model : models.ok() ? *models : std::vector<std::string>()) {
      request.add_models(model == "H200" ? v1::GPU_MODEL_H200 : v1::GPU_MODEL_B200);
    }
  }
  if (const auto text = fields.RequiredText("duration", "a length of time such as 90m, 4h or 7d")) {
    const auto duration = ParseLength("duration", *text);
    if (!duration.ok()) {
      fields.Note("duration", duration.error());
    } else if (*duration < kDurationMin || *duration > kDurationMax) {
      fields.Note("duration", *text, "1m to 366d");
    } else {
      request.mutable_duration()->set_seconds(duration->count);
    }
  }
  if (const auto time = ReadTime(fields, "earliest_start")) {
    *request.mutable_earliest_start() = TimestampOf(*time);
  }
  if (const auto time = ReadTime(fields, "deadline")) {
    *request.mutable_deadline() = TimestampOf(*time);
  }
  if (const auto preemptible = fields.Bool("preemptible")) request.set_preemptible(*preemptible);
  if (const auto borrow = fields.Bool("borrow")) request.set_borrow(*borrow);
  if (const auto exchange = fields.Bool("exchange")) request.set_exchange(*exchange);
  if (const auto text = fields.Text("same_leaf_wait")) {
    const auto wait = ParseLength("same_leaf_wait", *text);
    if (!wait.ok()) {
      fields.Note("same_leaf_wait", wait.error());
    } else {
      request.mutable_same_leaf_wait()->set_seconds(wait->count);
    }
  }
  // One of the same project by its last part alone, as for --after.
  if (const auto after = fields.Text("after")) {
    const bool is_alone = after->find('/') == std::string::npos;
    const auto name =
        AllocationName(is_alone ? ShortName(ParentOf(allocation.name())) + "/" + *after : *after);
    if (name.ok()) {
      request.set_after(*name);
    } else {
      fields.Note("after", *after, "ALLOCATION of the same project");
    }
  }
  return allocation;
}

struct KindRow {
  std::string_view kind;
  Resource (*read)(ManifestFields&);
};
constexpr std::array kKinds = {
    KindRow{"Provider", [](ManifestFields& f) -> Resource { return ReadProvider(f); }},
    KindRow{"Cluster", [](ManifestFields& f) -> Resource { return ReadCluster(f); }},
    KindRow{"Institute", [](ManifestFields& f) -> Resource { return ReadInstitute(f); }},
    KindRow{"Project", [](ManifestFields& f) -> Resource { return ReadProject(f); }},
    KindRow{"Quota", [](ManifestFields& f) -> Resource { return ReadQuota(f); }},
    KindRow{"Allocation", [](ManifestFields& f) -> Resource { return ReadAllocation(f); }},
};

/// Which of FieldsOf's names a file's field stands for.
std::set<std::string> GivenFields(const Document& document, const YAML::Node& map) {
  std::set<std::string> given;
  const auto has = [&map](const std::string& field) {
    for (const auto& entry : map) {
      if (entry.first.IsScalar() && entry.first.Scalar() == field) return true;
    }
    return false;
  };
  for (const FieldText& field : FieldsOf(document.resource)) {
    const std::size_t dot = field.field.find('.');
    const std::string top = field.field.substr(0, dot);
    if (top == "size") {
      given.insert(field.field);
    } else if (top == "grows_to") {
      if (has("gpus_max") || has("nodes_max")) given.insert(field.field);
    } else if (has(top)) {
      const YAML::Node value = map[top];
      if (dot == std::string::npos || (value.IsMap() && value[field.field.substr(dot + 1)])) {
        given.insert(field.field);
      }
    }
  }
  return given;
}

void ReadDocument(const std::string& file, const YAML::Node& node, Manifest& manifest) {
  if (node.IsNull()) return;
  if (node.IsSequence()) {
    for (const auto& item : node) ReadDocument(file, item, manifest);
    return;
  }
  const int line = node.Mark().line + 1;
  if (!node.IsMap()) {
    manifest.problems.push_back({file, line, "", Printable(node.Scalar()), "a map with a kind"});
    return;
  }
  const std::size_t problems_before = manifest.problems.size();
  ManifestFields fields(file, "", node, manifest.problems);
  constexpr auto kExpected = "Provider, Cluster, Institute, Project, Quota or Allocation";
  const auto kind = fields.RequiredText("kind", kExpected);
  if (!kind) return;
  for (const KindRow& row : kKinds) {
    if (row.kind != *kind) continue;
    Document document{.resource = row.read(fields), .given = {}, .file = file, .line = line};
    fields.Finish();
    if (manifest.problems.size() > problems_before) return;
    document.given = GivenFields(document, node);
    manifest.documents.push_back(std::move(document));
    return;
  }
  fields.Note("kind", *kind, kExpected);
}

}  // namespace

std::string Describe(const ManifestProblem& problem) {
  std::string text = problem.file + ":" + std::to_string(problem.line);
  if (problem.field.empty() && problem.value.empty())
    return text + ": expected " + problem.expected;
  text += ":";
  if (!problem.field.empty()) text += " " + problem.field;
  if (problem.value == "missing" || problem.value == "empty") {
    text += " is " + problem.value;
  } else if (!problem.value.empty()) {
    text += " \"" + problem.value + "\"";
  }
  return text + ": expected " + problem.expected;
}

Manifest ParseManifest(const std::string& file, const std::string& text) {
  Manifest manifest;
  for (const YAML::Node& node : LoadDocuments(file, text, manifest.problems)) {
    ReadDocument(file, node, manifest);
  }
  return manifest;
}

Manifest JoinManifests(std::vector<Manifest> manifests) {
  Manifest all;
  std::map<std::string, const Document*> seen;
  for (Manifest& manifest : manifests) {
    for (const Document& document : manifest.documents) {
      const auto [first, fresh] = seen.emplace(NameOf(document.resource), &document);
      if (fresh) continue;
      all.problems.push_back({document.file, document.line, "id",
                              ShortName(NameOf(document.resource)),
                              "each object once; it is in " + first->second->file + ":" +
                                  std::to_string(first->second->line) + " too"});
    }
    all.problems.insert(all.problems.end(), manifest.problems.begin(), manifest.problems.end());
  }
  // Only now: `seen` points into the documents.
  for (Manifest& manifest : manifests) {
    for (Document& document : manifest.documents) all.documents.push_back(std::move(document));
  }
  return all;
}

}  // namespace allot::cli
