#pragma once

#include <string>
#include <vector>

#include "allot/base/result.h"
#include "allot/v1/policy.pb.h"
#include "cli/manifest.h"

namespace allot::cli {

// A policy on file: what stands under `policy:` in the server's configuration, every setting given.

/// Reads YAML or JSON. Every problem is found in one go, with its line; then what is returned means
/// nothing. Ranges are the server's to judge.
v1::PolicySettings ParsePolicyFile(const std::string& file, const std::string& text,
                                   std::vector<ManifestProblem>& problems);
/// YAML that ParsePolicyFile reads back.
std::string FormatPolicyFile(const v1::PolicySettings& settings);

/// Sets one, given as people write it; config_invalid for a name that is none (programmes and
/// node_loss included) or a value that cannot be read.
Status SetSetting(const std::string& field, const std::string& name, const std::string& value,
                  v1::PolicySettings& settings);

struct SettingLine {
  /// "promise_nodes", "programmes.call-2026-1.gpus_max.H200".
  std::string name;
  std::string value;
  friend bool operator==(const SettingLine&, const SettingLine&) = default;
};
/// Every setting as people read it, in the order of the message.
std::vector<SettingLine> SettingLines(const v1::PolicySettings& settings);

}  // namespace allot::cli
