#include "cli/policy_file.h"

#include <google/protobuf/descriptor.h>

#include <limits>
#include <optional>

#include "allot/base/time.h"
#include "cli/manifest_fields.h"
#include "cli/resource.h"
#include "cli/values.h"
#include "cli/yaml_documents.h"

namespace allot::cli {
namespace {

using google::protobuf::Duration;
using google::protobuf::FieldDescriptor;

constexpr const char* kLengthExpected = "a length of time such as 30s, 4h or 14d";
constexpr const char* kNodeLossExpected = "requeue or fail";

std::optional<Seconds> ReadLength(ManifestFields& fields, const std::string& name) {
  const auto text = fields.RequiredText(name, kLengthExpected);
  if (!text) return std::nullopt;
  const auto length = ParseLength(name, *text);
  if (length.ok()) return *length;
  fields.Note(name, *text, kLengthExpected);
  return std::nullopt;
}

std::optional<int64_t> ReadCount(ManifestFields& fields, const std::string& name, int64_t max) {
  if (!fields.RequiredText(name, "a whole number")) return std::nullopt;
  return fields.Count(name, 0, max);
}

void ReadProgrammes(ManifestFields& settings, v1::PolicySettings& into) {
  if (!settings.Has("programmes")) {
    settings.Note("programmes", "missing", "a map of programmes, each with its caps");
  }
  auto programmes = settings.Map("programmes");
  if (!programmes) return;
  for (const std::string& name : programmes->Names()) {
    auto caps = programmes->Map(name);
    if (!caps) continue;
    v1::ProgrammeCaps& row = *into.add_programmes();
    row.set_programme(name);
    if (!caps->Has("gpus_max")) {
      caps->Note("gpus_max", "missing", "a map such as {H200: 256, B200: 128}");
    }
    if (auto gpus = caps->Map("gpus_max")) {
      row.mutable_gpus_max();
      // A model that is not named is closed to the programme.
      if (const auto h200 = gpus->Count("H200", 0, kGpusMax))
        row.mutable_gpus_max()->set_h200(*h200);
      if (const auto b200 = gpus->Count("B200", 0, kGpusMax))
        row.mutable_gpus_max()->set_b200(*b200);
      gpus->Finish();
    }
    if (const auto length = ReadLength(*caps, "duration_max")) {
      row.mutable_duration_max()->set_seconds(length->count);
    }
    caps->Finish();
  }
  programmes->Finish();
}

void ReadNodeLoss(ManifestFields& fields, v1::PolicySettings& into) {
  const auto text = fields.RequiredText("node_loss", kNodeLossExpected);
  if (!text) return;
  if (*text == "requeue") {
    into.set_node_loss(v1::NODE_LOSS_REQUEUE);
  } else if (*text == "fail") {
    into.set_node_loss(v1::NODE_LOSS_FAIL);
  } else {
    fields.Note("node_loss", *text, kNodeLossExpected);
  }
}

std::string LengthOf(const Duration& duration) { return FormatDuration(SecondsOf(duration)); }

const Duration& DurationAt(const v1::PolicySettings& settings, const FieldDescriptor* field) {
  return static_cast<const Duration&>(settings.GetReflection()->GetMessage(settings, field));
}

std::string WordOf(v1::NodeLoss loss) { return loss == v1::NODE_LOSS_FAIL ? "fail" : "requeue"; }

/// The settings that are a length of time or a number: those without a reader of their own.
template <class OfLength, class OfCount>
void EachNumber(const OfLength& of_length, const OfCount& of_count) {
  const auto* settings = v1::PolicySettings::descriptor();
  for (int i = 0; i < settings->field_count(); ++i) {
    const FieldDescriptor* field = settings->field(i);
    if (field->is_repeated()) continue;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) of_length(field);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT32) of_count(field);
  }
}

}  // namespace

v1::PolicySettings ParsePolicyFile(const std::string& file, const std::string& text,
                                   std::vector<ManifestProblem>& problems) {
  v1::PolicySettings settings;
  const auto documents = LoadDocuments(file, text, problems);
  if (!problems.empty()) return settings;
  if (documents.size() != 1 || !documents[0].IsMap()) {
    const int line = documents.empty() ? 0 : documents.back().Mark().line;
    problems.push_back(
        {file, line + 1, "", "", "one map of settings, as 'allot policies export' prints"});
    return settings;
  }
  ManifestFields fields(file, "", documents[0], problems);
  const auto* reflection = settings.GetReflection();
  ReadProgrammes(fields, settings);
  EachNumber(
      [&](const FieldDescriptor* field) {
        const auto length = ReadLength(fields, field->name());
        if (!length) return;
        Duration duration;
        duration.set_seconds(length->count);
        reflection->MutableMessage(&settings, field)->CopyFrom(duration);
      },
      [&](const FieldDescriptor* field) {
        const auto count = ReadCount(fields, field->name(), std::numeric_limits<int32_t>::max());
        if (count) reflection->SetInt32(&settings, field, static_cast<int32_t>(*count));
      });
  ReadNodeLoss(fields, settings);
  fields.Finish();
  return settings;
}

std::string FormatPolicyFile(const v1::PolicySettings& settings) {
  std::string text = "programmes:\n";
  for (const v1::ProgrammeCaps& caps : settings.programmes()) {
    text += "  " + caps.programme() + ":\n";
    text += "    gpus_max: {H200: " + std::to_string(caps.gpus_max().h200()) +
            ", B200: " + std::to_string(caps.gpus_max().b200()) + "}\n";
    text += "    duration_max: " + LengthOf(caps.duration_max()) + "\n";
  }
  for (const SettingLine& line : SettingLines(settings)) {
    if (!line.name.starts_with("programmes.")) text += line.name + ": " + line.value + "\n";
  }
  return text;
}

Status SetSetting(const std::string& field, const std::string& name, const std::string& value,
                  v1::PolicySettings& settings) {
  const auto* number = settings.GetDescriptor()->FindFieldByName(name);
  const auto* reflection = settings.GetReflection();
  if (number != nullptr && !number->is_repeated()) {
    if (number->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      ALLOT_ASSIGN_OR_RETURN(const Seconds length, ParseLength(field + " " + name, value));
      Duration duration;
      duration.set_seconds(length.count);
      reflection->MutableMessage(&settings, number)->CopyFrom(duration);
      return Ok{};
    }
    if (number->cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
      ALLOT_ASSIGN_OR_RETURN(const int32_t count,
                             ParseSmallCount(field + " " + name, value, Reason::kPolicyInvalid, 0,
                                             std::numeric_limits<int32_t>::max()));
      reflection->SetInt32(&settings, number, count);
      return Ok{};
    }
  }
  std::string known;
  const auto list = [&known](const FieldDescriptor* one) {
    known += (known.empty() ? "" : ", ") + one->name();
  };
  EachNumber(list, list);
  return FieldError(Reason::kConfigInvalid, field, name, known);
}

std::vector<SettingLine> SettingLines(const v1::PolicySettings& settings) {
  std::vector<SettingLine> lines;
  for (const v1::ProgrammeCaps& caps : settings.programmes()) {
    const std::string path = "programmes." + caps.programme() + ".";
    lines.push_back({path + "gpus_max.H200", std::to_string(caps.gpus_max().h200())});
    lines.push_back({path + "gpus_max.B200", std::to_string(caps.gpus_max().b200())});
    lines.push_back({path + "duration_max", LengthOf(caps.duration_max())});
  }
  EachNumber(
      [&](const FieldDescriptor* field) {
        lines.push_back({field->name(), LengthOf(DurationAt(settings, field))});
      },
      [&](const FieldDescriptor* field) {
        lines.push_back(
            {field->name(), std::to_string(settings.GetReflection()->GetInt32(settings, field))});
      });
  lines.push_back({"node_loss", WordOf(settings.node_loss())});
  return lines;
}

}  // namespace allot::cli
