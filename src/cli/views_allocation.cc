#include <algorithm>
#include <sstream>

#include "allot/base/text.h"
#include "cli/resource.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

std::string StartText(const v1::Allocation& allocation, Instant now) {
  return allocation.has_start_time() ? Moment(InstantOf(allocation.start_time()), now) : "";
}

std::string StartLabel(bool promised) { return promised ? "Promised start" : "Planned start"; }

std::string EndText(const v1::Allocation& allocation, Instant now) {
  return allocation.has_end_time() ? Moment(InstantOf(allocation.end_time()), now) : "";
}

std::string Permille(int permille) {
  return std::to_string(permille / 10) + "." + std::to_string(permille % 10) + " %";
}

/// "0-7", "0,2-3".
std::string IndexRanges(const google::protobuf::RepeatedField<int>& indices) {
  std::string text;
  for (int i = 0; i < indices.size();) {
    int last = i;
    while (last + 1 < indices.size() && indices[last + 1] == int64_t{indices[last]} + 1) ++last;
    text += (text.empty() ? "" : ",") + std::to_string(indices[i]);
    if (last > i) text += "-" + std::to_string(indices[last]);
    i = last + 1;
  }
  return text;
}

class Lines {
 public:
  /// Whatever a server puts into the value.
  void Add(const std::string& label, const std::string& value) {
    AddPainted(label, Harmless(value));
  }
  /// A value with colours of its own.
  void AddPainted(const std::string& label, const std::string& value) {
    if (value.empty()) return;
    std::string padded = label.empty() ? "" : label + ":";
    padded.resize(std::max<std::size_t>(padded.size() + 1, 17), ' ');
    text_ += padded + value + "\n";
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// What operators decided about it.
void AddDecisions(const v1::Allocation& a, Lines& lines) {
  if (a.urgent()) lines.Add("Urgent", "goes before others: " + a.urgent_reason());
  if (a.consolidate()) {
    lines.Add("Consolidate", "others are moved for it: " + a.consolidate_reason());
  }
}

}  // namespace

Table AllocationTable(const Repeated<v1::Allocation>& allocations, Instant now) {
  Table table({{"ALLOCATION"},
               {"STATE"},
               {"GPUS", Align::kRight},
               {"SIZE", Align::kLeft, true},
               {"MODELS"},
               {"DURATION", Align::kRight},
               {"CLUSTER"},
               {"START"},
               {"END", Align::kLeft, true},
               {"REASON"},
               {"SUBMITTED", Align::kLeft, true},
               {"DISPLAY NAME", Align::kLeft, true}});
  for (const v1::Allocation& a : allocations) {
    const std::string state = Word(a.state());
    table.Add({ShortName(a.name()),
               {state, PaintOf(state)},
               FormatCount(GpusOf(a.request())),
               SizeText(a.request()),
               ModelsText(a.request()),
               FormatDuration(SecondsOf(a.request().duration())),
               a.cluster().empty() ? "" : LastPart(a.cluster()),
               StartText(a, now),
               EndText(a, now),
               a.reason(),
               a.has_create_time() ? Moment(InstantOf(a.create_time()), now) : "",
               a.display_name()});
  }
  return table;
}

namespace {

void AddGrowth(const v1::Allocation& a, Lines& lines) {
  const std::string most = GrowthText(a.request());
  if (most.empty()) return;
  int64_t added = 0;
  for (const v1::Growth& growth : a.growths()) {
    if (growth.state() == v1::Allocation::STATE_ACTIVE) added += growth.gpus();
  }
  lines.Add("Grows to", most + "; " + FormatCount(added) + " added so far");
}

}  // namespace

std::string AllocationDetails(const v1::Allocation& a, Instant now, bool colours) {
  const v1::AllocationRequest& request = a.request();
  const std::string state = Word(a.state());
  Lines lines;
  lines.Add("Allocation", ShortName(a.name()));
  lines.Add("Display name", a.display_name());
  lines.AddPainted("State", Painted(state, PaintOf(state), colours) +
                                (a.cancel_requested() ? " (cancelled)" : ""));
  lines.Add("Why", a.reason());
  lines.Add("", a.message());
  lines.Add("Setback", a.setback());
  lines.Add("Asks for", AskText(request) + " for " + FormatDuration(SecondsOf(request.duration())) +
                            (request.borrow()        ? ", borrowed"
                             : request.preemptible() ? ", preemptible"
                                                     : ""));
  if (request.has_earliest_start()) {
    lines.Add("Not before", Moment(InstantOf(request.earliest_start()), now));
  }
  if (request.has_deadline()) lines.Add("Ended by", Moment(InstantOf(request.deadline()), now));
  if (a.preemptions() > 0) {
    lines.Add("Stopped",
              FormatCount(a.preemptions()) + " times" +
                  (a.has_remaining_duration()
                       ? ", " + FormatDuration(SecondsOf(a.remaining_duration())) + " left"
                       : ""));
  }
  if (request.has_same_leaf_wait()) {
    lines.Add("Same leaf", "up to " + FormatDuration(SecondsOf(request.same_leaf_wait())) +
                               " later if it helps");
  }
  if (!request.after().empty()) lines.Add("Starts after", ShortName(request.after()));
  if (!a.grows().empty()) lines.Add("Adds to", ShortName(a.grows()));
  AddGrowth(a, lines);
  AddDecisions(a, lines);
  if (a.has_told_start_time()) {
    lines.Add("Held to", Moment(InstantOf(a.told_start_time()), now) +
                             (a.overdue() ? "; overdue: goes before others" : ""));
  }
  lines.Add("Cluster", ShortName(a.cluster()));
  lines.Add(a.state() != v1::Allocation::STATE_PLANNED ? "Start" : StartLabel(a.promised()),
            StartText(a, now));
  lines.Add(a.state() == v1::Allocation::STATE_PLANNED ? "Planned end" : "End", EndText(a, now));
  if (a.has_active_time()) lines.Add("Active since", Moment(InstantOf(a.active_time()), now));
  if (a.has_finish_time()) lines.Add("Finished", Moment(InstantOf(a.finish_time()), now));
  if (a.attempt() > 0) {
    lines.Add("Attempts",
              std::to_string(a.attempt()) + ", of which failed " + std::to_string(a.failures()));
  }
  if (a.has_create_time()) lines.Add("Submitted", Moment(InstantOf(a.create_time()), now));
  lines.Add("Etag", a.etag());
  std::string nodes;
  for (const v1::NodeGpus& node : a.nodes()) {
    nodes += "  " + Harmless(ShortName(node.node())) + "  GPUs " + IndexRanges(node.gpu_indices()) +
             "\n";
  }
  std::string steps;
  for (const v1::Growth& growth : a.growths()) {
    steps += "  " + Harmless(ShortName(growth.allocation())) + "  " + FormatCount(growth.gpus()) +
             " GPUs  " + Word(growth.state()) + "\n";
  }
  return lines.text() + (nodes.empty() ? "" : "Nodes:\n" + nodes) +
         (steps.empty() ? "" : "Grows in steps:\n" + steps);
}

std::string ChangeLine(const v1::AllocationChange& change, Instant now, bool colours) {
  const v1::Allocation& a = change.allocation();
  const std::string state = Word(change.state());
  std::string line = FormatRfc3339(Instant::FromSeconds(InstantOf(change.time()).seconds())) +
                     "  " + Harmless(ShortName(a.name())) + "  " +
                     Painted(state, PaintOf(state), colours);
  // The allocation may be further than the change: its particulars are told only where they belong.
  if (change.state() == a.state()) {
    if (!a.cluster().empty()) line += "  " + Harmless(LastPart(a.cluster()));
    if (a.state() == v1::Allocation::STATE_PLANNED && a.has_start_time()) {
      line += "  starts " + StartText(a, now);
    }
    if (a.state() == v1::Allocation::STATE_ACTIVE && a.has_end_time()) {
      line += "  until " + EndText(a, now);
    }
  }
  if (!change.message().empty()) line += "  " + Harmless(change.message());
  return line;
}

namespace {

constexpr int kEstimatesForPeople = 4;

/// When it could start if nobody else waited, and until when it may be put off.
std::string RangeText(const v1::ExplainAllocationResponse& e, Instant now) {
  if (!e.has_earliest_start_time() || !e.has_latest_start_time() || e.promised()) return {};
  return "from " + Moment(InstantOf(e.earliest_start_time()), now) + " if alone; later than " +
         Moment(InstantOf(e.latest_start_time()), now) + " it goes before others";
}

/// What it was told, the newest first; nothing when that never changed.
void AddEstimates(const v1::ExplainAllocationResponse& e, Instant now, Lines& lines) {
  if (e.estimates_size() < 2) return;
  for (int i = 0; i < e.estimates_size() && i < kEstimatesForPeople; ++i) {
    const v1::StartEstimate& estimate = e.estimates(i);
    lines.Add(i == 0 ? "Told" : "", (estimate.has_planned_start_time()
                                         ? Moment(InstantOf(estimate.planned_start_time()), now)
                                         : "no start") +
                                        ", as of " + Moment(InstantOf(estimate.told_time()), now));
  }
  if (e.allocation().has_told_start_time()) {
    lines.Add("Held to", Moment(InstantOf(e.allocation().told_start_time()), now) +
                             (e.allocation().overdue() ? "; overdue: goes before others" : ""));
  }
}

}  // namespace

std::string ExplanationText(const v1::ExplainAllocationResponse& e, Instant now, bool colours) {
  const v1::Allocation& a = e.allocation();
  const std::string state = Word(a.state());
  Lines lines;
  lines.Add("Allocation", ShortName(a.name()));
  lines.AddPainted("State", Painted(state, PaintOf(state), colours));
  lines.Add("Why", e.reason());
  lines.Add("", e.message());
  lines.Add("Setback", a.setback());
  lines.Add("Asks for",
            AskText(a.request()) + " for " + FormatDuration(SecondsOf(a.request().duration())));
  if (e.has_planned_start_time()) {
    lines.Add(StartLabel(e.promised()), Moment(InstantOf(e.planned_start_time()), now));
  }
  lines.Add("Range", RangeText(e, now));
  if (e.rank_of() > 0) {
    lines.Add("Rank", std::to_string(e.rank()) + " of " + std::to_string(e.rank_of()) +
                          " that wait for its programme");
    lines.Add("Share", "entitled to " + Permille(e.entitled_share_permille()) + ", had " +
                           Permille(e.used_share_permille()));
    lines.Add("Quota", "holds " + FormatCount(e.quota_held_gpus()) + " of " +
                           FormatCount(e.quota_limit_gpus()) + " GPUs of these models");
  }
  AddDecisions(a, lines);
  AddEstimates(e, now, lines);
  for (int i = 0; i < e.alternatives_size(); ++i) {
    lines.Add(i == 0 ? "Sooner" : "", e.alternatives(i).message());
  }
  lines.Add("Decided by",
            e.policy_version().empty()
                ? ""
                : "policy " + e.policy_version() + " at revision " + std::to_string(e.revision()));
  std::ostringstream text;
  text << lines.text();
  if (e.clusters_size() > 0) {
    Table table({{"CLUSTER"},
                 {"NODES", Align::kRight},
                 {"NOT USABLE", Align::kRight},
                 {"SET ASIDE", Align::kRight},
                 {"FIT NOW", Align::kRight},
                 {"GPUS FREE", Align::kRight},
                 {"EARLIEST, IF ALONE"}});
    for (const v1::ClusterOutlook& c : e.clusters()) {
      table.Add({LastPart(c.cluster()), FormatCount(c.nodes()),
                 FormatCount(c.nodes_unschedulable()), FormatCount(c.nodes_set_aside()),
                 FormatCount(c.nodes_fitting_now()), FormatCount(c.gpus_free_now()),
                 c.has_earliest_time() ? Moment(InstantOf(c.earliest_time()), now) : "never"});
    }
    text << "\n";
    table.Print(text, /*wide=*/false, colours);
  }
  return text.str();
}

}  // namespace allot::cli
