#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "allot/base/time.h"
#include "allot/v1/allocation.pb.h"
#include "allot/v1/pool.pb.h"
#include "allot/v1/proposal_service.pb.h"
#include "allot/v1/tenant.pb.h"

namespace allot::cli {

/// What an apply file can hold, in the order in which one depends on another.
using Resource =
    std::variant<v1::Provider, v1::Cluster, v1::Institute, v1::Project, v1::Quota, v1::Allocation>;

/// "Provider", "Cluster", …, as apply files and tables call it.
std::string_view KindOf(const Resource& resource);
/// The full resource name.
const std::string& NameOf(const Resource& resource);

/// A field as an apply file writes it. Two resources that mean the same have the same texts.
struct FieldText {
  std::string field;
  std::string text;
  friend bool operator==(const FieldText&, const FieldText&) = default;
};
/// The fields that an apply file may give, in the order in which they are shown; empty ones too.
std::vector<FieldText> FieldsOf(const Resource& resource);

// Enums as people read and type them ("academia", "H200", "pending"); "unspecified" for 0. A number
// that this release does not know is shown as it is.
std::string Word(v1::Sector sector);
std::string Word(v1::GpuModel model);
std::string Word(v1::Allocation::State state);
std::string Word(v1::Node::Health health);
std::string Word(v1::Proposal::State state);

/// "2 nodes x 8 GPUs", "12 GPUs": what was asked for.
std::string SizeText(const v1::AllocationRequest& request);
/// The same with its models: "2 nodes x 8 GPUs of H200, or 1 node x 8 GPUs of B200".
std::string AskText(const v1::AllocationRequest& request);
/// "64 GPUs": what it may grow to; empty for most.
std::string GrowthText(const v1::AllocationRequest& request);
int64_t GpusOf(const v1::AllocationRequest& request);
/// "H200,B200", or "any".
std::string ModelsText(const v1::AllocationRequest& request);

Instant InstantOf(const google::protobuf::Timestamp& time);
google::protobuf::Timestamp TimestampOf(Instant instant);
Seconds SecondsOf(const google::protobuf::Duration& duration);

}  // namespace allot::cli
