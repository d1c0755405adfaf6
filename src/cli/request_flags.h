#pragma once

#include <CLI/CLI.hpp>

#include <string>

#include "allot/v1/allocation.pb.h"
#include "cli/failure.h"
#include "cli/values.h"

namespace allot::cli {

/// What a request asks for, as `submit` and `what-if` take it.
struct RequestFlags {
  std::string gpus;
  std::string nodes;
  std::string gpus_per_node;
  std::string models = "any";
  std::string length;
  std::string start;
  std::string deadline;
  bool preemptible = false;
  bool borrow = false;
  bool exchange = false;
  std::string gpus_max;
  std::string nodes_max;
  std::string same_leaf_wait;
};

/// The option that says how long; what makes it required differs.
CLI::Option* AddRequestFlags(CLI::App& command, RequestFlags& flags);

/// Usage failures for sizes that do not go together; the server judges whether the rest makes
/// sense. `command` is named for its help.
Outcome<v1::AllocationRequest> ReadRequest(const RequestFlags& flags, Moments& moments,
                                           const std::string& command);

}  // namespace allot::cli
