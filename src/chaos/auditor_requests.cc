// What was asked for, and whether that is what was entered.
#include <algorithm>

#include "chaos/auditor.h"

namespace allot::chaos {
namespace {

/// On the fewest nodes that have so many.
Shape OnFewestNodes(int gpus) {
  if (gpus <= kGpusPerNode) return {.nodes = 1, .gpus_per_node = gpus};
  return {.nodes = gpus / kGpusPerNode,
          .gpus_per_node = kGpusPerNode,
          .remainder_gpus = gpus % kGpusPerNode};
}

Shape ShapeAsked(const RawRequest& raw) {
  if (raw.gpus) return OnFewestNodes(static_cast<int>(*raw.gpus));
  return {.nodes = static_cast<int>(raw.nodes.value_or(0)),
          .gpus_per_node = static_cast<int>(raw.gpus_per_node.value_or(0))};
}

std::vector<GpuModel> ModelsAsked(const RawRequest& raw) {
  std::vector<GpuModel> models;
  for (const std::string& name : raw.models) {
    models.push_back(name == "H200" ? GpuModel::kH200 : GpuModel::kB200);
  }
  if (models.empty()) models = {GpuModel::kH200, GpuModel::kB200};
  return models;
}

/// What does the work of the first model on the second: of whole GPUs, or of whole nodes, no fewer.
ExchangedShape Exchanged(const RawRequest& raw, int b200_worth_permille) {
  const std::vector<GpuModel> models = ModelsAsked(raw);
  const bool to_larger = models[1] == GpuModel::kB200;
  const auto in_other = [&](int count) {
    const int up = to_larger ? 1'000 : b200_worth_permille;
    const int down = to_larger ? b200_worth_permille : 1'000;
    return count * up / down + (count * up % down > 0 ? 1 : 0);
  };
  const Shape shape = ShapeAsked(raw);
  if (raw.gpus) return {.model = models[1], .shape = OnFewestNodes(in_other(shape.gpus()))};
  return {.model = models[1],
          .shape = {.nodes = in_other(shape.nodes), .gpus_per_node = shape.gpus_per_node}};
}

}  // namespace

void Auditor::AsksToSubmit(const std::vector<control::Submission>& submissions) {
  for (const control::Submission& one : submissions) {
    asked_.emplace(one.display_name, Asked{.submission = one, .time = world_.now()});
  }
}

void Auditor::Submitted(const std::string& request_id,
                        const std::vector<control::Submission>& submissions,
                        const std::vector<Allocation>& answered) {
  Expect(answered.size() == submissions.size(), "as_it_was_asked",
         request_id + " asked for " + std::to_string(submissions.size()) + " and was answered " +
             std::to_string(answered.size()));
  std::vector<AllocationId> ids;
  for (const Allocation& one : answered) {
    const std::size_t place = ids.size();
    ids.push_back(one.id);
    const auto there = allocations_.find(one.id);
    Expect(there != allocations_.end(), "acknowledged_is_there",
           one.id.str() + " was acknowledged for " + request_id + " and is not there");
    Expect(place >= submissions.size() || one.display_name == submissions[place].display_name,
           "as_it_was_asked", request_id + " was answered out of its order");
    Expect(there == allocations_.end() || one.request == there->second.request, "as_it_was_asked",
           request_id + " was answered with another request than " + one.id.str() + " has");
    const auto tag = tags_.find(one.display_name);
    Expect(tag != tags_.end() && tag->second == one.id, "request_once",
           request_id + " was answered with " + one.id.str() + ", made for another request");
  }
  Expect(std::set<AllocationId>(ids.begin(), ids.end()).size() == ids.size(), "request_once",
         request_id + " was answered with the same allocation twice");
  const auto [earlier, is_first] = answers_.emplace(request_id, ids);
  Expect(is_first || earlier->second == ids, "request_once",
         request_id + " was answered with other allocations than earlier");
  if (!is_first) world_.Probe("request_repeated_and_answered_as_before");
}

void Auditor::CheckAsAsked(const Allocation& allocation) {
  const auto asked = asked_.find(allocation.display_name);
  Expect(asked != asked_.end(), "as_it_was_asked", allocation.id.str() + " was asked by nobody");
  if (asked == asked_.end()) return;
  if (!allocation.grows) {
    CheckRequest(allocation, asked->second);
    CheckModels(allocation, asked->second.submission.request);
    seen_now_.push_back(allocation.id);
  } else {
    Expect(std::ranges::find(seen_now_, *allocation.grows) != seen_now_.end(), "as_it_was_asked",
           allocation.id.str() + " did not come with what it is added to");
  }
  courses_[allocation.id].left = allocation.request.duration;
}

void Auditor::CheckRequest(const Allocation& allocation, const Asked& asked) {
  const control::Submission& submission = asked.submission;
  const RawRequest& raw = submission.request;
  const Request& request = allocation.request;
  const auto expect = [&](bool holds, const char* what) {
    Expect(holds, "as_it_was_asked",
           allocation.id.str() + " has another " + what + " than was asked for");
  };
  const std::string own_name = allocation.project.str() + "/" + submission.allocation_name;
  expect(allocation.project == submission.project &&
             allocation.id.str().starts_with(allocation.project.str() + "/"),
         "project");
  expect(submission.allocation_name.empty() || allocation.id.str() == own_name, "name");
  expect(allocation.after == submission.after, "predecessor");
  expect(request.shape == ShapeAsked(raw), "shape");
  expect(request.exchanged.has_value() == raw.exchange &&
             (!raw.exchange || *request.exchanged == Exchanged(raw, policy_.b200_worth_permille)),
         "shape on the other model");
  expect(raw.duration && request.duration == *raw.duration, "duration");
  expect(request.deadline == raw.deadline, "deadline");
  // Between the question and the commit, by whichever clock.
  const Reading clock = world_.Clock();
  const Instant asked_at{asked.time.micros - (world_.now().micros - clock.least.micros)};
  // What was to begin a moment ago begins at once.
  const bool begins_at_once = raw.earliest_start && request.earliest_start &&
                              *request.earliest_start > *raw.earliest_start &&
                              *request.earliest_start >= asked_at &&
                              *request.earliest_start <= clock.most;
  expect(request.earliest_start == raw.earliest_start || begins_at_once, "earliest start");
  expect(request.preemptible == raw.preemptible, "leave to be stopped");
  expect(request.borrow == raw.borrow, "leave to borrow");
  expect(request.same_leaf_wait == raw.same_leaf_wait.value_or(Seconds{0}), "wait for a leaf");
  const std::optional<int> most =
      raw.gpus_max ? std::optional(static_cast<int>(*raw.gpus_max)) : std::nullopt;
  expect(request.gpus_max == most, "size to grow to");
  Expect(allocation.create_time >= asked_at && allocation.create_time <= clock.most,
         "as_it_was_asked",
         allocation.id.str() + " came at " + FormatRfc3339(allocation.create_time) +
             ", which is not between " + FormatRfc3339(asked_at) + " and " +
             FormatRfc3339(clock.most));
  expect(allocation.attempt == 0 && allocation.failures == 0 && allocation.preemptions == 0 &&
             !allocation.window && !allocation.promised && !allocation.urgent &&
             !allocation.consolidate && !allocation.remaining,
         "beginning");
}

void Auditor::CheckModels(const Allocation& allocation, const RawRequest& raw) {
  const std::vector<GpuModel>& kept = allocation.request.models;
  Expect(!kept.empty(), "as_it_was_asked", allocation.id.str() + " takes no model");
  std::vector<GpuModel> expected;
  for (const GpuModel model : ModelsAsked(raw)) {
    if (std::ranges::find(kept, model) != kept.end()) {
      expected.push_back(model);
    } else {
      Expect(MayBeDropped(model, allocation), "as_it_was_asked",
             allocation.id.str() + " is not given " + std::string(Name(model)) +
                 ", which it asked for and could have");
    }
  }
  Expect(kept == expected, "as_it_was_asked",
         allocation.id.str() + " has other models than were asked for, or in another order");
}

/// There is no such cluster that is large enough, or never will it have so many at a time.
bool Auditor::MayBeDropped(GpuModel model, const Allocation& allocation) const {
  const Request& request = allocation.request;
  const bool exchanges = request.exchanged && request.exchanged->model == model;
  const Shape& asked = exchanges ? request.exchanged->shape : request.shape;
  const Shape most = OnFewestNodes(std::max(asked.gpus(), request.gpus_max.value_or(0)));
  const auto nodes_needed = [](const Shape& shape) {
    return shape.nodes + (shape.remainder_gpus > 0 ? 1 : 0);
  };
  const int needed = std::max(nodes_needed(asked), nodes_needed(most));
  bool is_large_enough = false;
  for (const auto& [id, cluster] : clusters_) {
    const auto listed = std::ranges::count_if(nodes_, [&](const auto& row) {
      return row.second.cluster == id && row.second.health != NodeHealth::kRemoved;
    });
    if (cluster.model == model && listed >= needed) is_large_enough = true;
  }
  const int64_t at_once =
      request.borrow ? policy_.borrowed_gpus_max : settings_.Of(QuotaOf(model, allocation.project));
  return !is_large_enough || at_once < most.gpus();
}

void Auditor::CheckGrowths(const Allocation& base) {
  int added = 0;
  const std::string prefix = base.id.str() + "-g";
  for (auto row = allocations_.lower_bound(AllocationId(prefix));
       row != allocations_.end() && row->first.str().starts_with(prefix); ++row) {
    const Allocation& growth = row->second;
    if (growth.grows != base.id) continue;
    added += growth.request.shape.gpus();
    Expect(growth.request.shape.gpus() <= base.request.shape.gpus_per_node &&
               growth.request.shape.nodes == 1 && growth.request.models == base.request.models &&
               growth.request.duration == base.request.duration &&
               growth.request.preemptible == base.request.preemptible &&
               growth.request.borrow == base.request.borrow,
           "as_it_was_asked", growth.id.str() + " is not what " + base.id.str() + " may grow by");
  }
  const int wanted = base.request.gpus_max.value_or(0);
  Expect(added == std::max(0, wanted - base.request.shape.gpus()), "as_it_was_asked",
         base.id.str() + " may grow by " + std::to_string(added) + " GPUs");
}

}  // namespace allot::chaos
