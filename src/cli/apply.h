#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/client.h"
#include "cli/manifest.h"

namespace allot::cli {

/// What applying a document means, by what the server has now.
enum class Change { kCreate, kConfigure, kUnchanged, kRefused };

struct Difference {
  std::string field;
  /// Nothing when there is no such object yet.
  std::optional<std::string> before;
  std::string after;

  friend bool operator==(const Difference&, const Difference&) = default;
};

enum class Done { kNotYet, kDone, kFailed, kSkipped };

struct ApplyStep {
  const Document* document = nullptr;
  Change change = Change::kUnchanged;
  std::vector<Difference> differences;
  /// Of the object that was compared, so that nobody's change in between is overwritten.
  std::string etag;
  Done done = Done::kNotYet;
  /// Of refused and failed steps.
  std::optional<Failure> failure;
};

/// What the file gives against what is there. A field that the file leaves out is not compared.
std::vector<Difference> Compare(const Document& document, const Resource* existing);
/// Whether the API can make these changes; else why not.
std::optional<Failure> WhyNotConfigurable(const Document& document,
                                          const std::vector<Difference>& differences);

/// Called after every answer: what is being done, how many of how many.
using ApplyProgress = std::function<void(std::string_view what, int done, int of)>;

/// Reads what there is and decides, for every document; in the order in which one depends on
/// another. Changes nothing. A failure when the server cannot be read.
Outcome<std::vector<ApplyStep>> PlanApply(Client& client, const std::vector<Document>& documents,
                                          const ApplyProgress& progress);

/// Carries the steps out, many at the same time but never before what they depend on. What depends
/// on a failed one is skipped; everything else goes on. `validate_only`: has the server check each
/// and change nothing, but for those that depend on what it does not have yet.
void CarryOut(Client& client, std::vector<ApplyStep>& steps, const std::string& reason,
              bool validate_only, const ApplyProgress& progress);

}  // namespace allot::cli
