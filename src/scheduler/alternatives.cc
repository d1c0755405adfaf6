#include "scheduler/alternatives.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "scheduler/pass.h"
#include "scheduler/preempt.h"

namespace allot::scheduler {
namespace {

class Search {
 public:
  Search(const Snapshot& snapshot, const Policy& policy, const Plan& plan, int pending,
         std::optional<Instant> planned)
      : snapshot_(snapshot),
        policy_(policy),
        pending_(pending),
        row_(snapshot.pending[static_cast<std::size_t>(pending)]),
        planned_(planned),
        pass_(snapshot, policy) {
    AdoptThoseAhead(plan, pending);
  }

  std::vector<Alternative> Run() {
    Shorter();
    Smaller();
    OtherModel();
    Borrowed();
    return std::move(found_);
  }

 private:
  void AdoptThoseAhead(const Plan& plan, int pending) {
    std::vector<bool> ahead(snapshot_.pending.size(), false);
    for (const int position : plan.order) {
      if (position == pending) break;
      ahead[static_cast<std::size_t>(position)] = true;
    }
    // Promises are kept against whoever is ahead of them.
    for (int i = 0; i < static_cast<int>(ahead.size()); ++i) {
      const auto position = static_cast<std::size_t>(i);
      if (snapshot_.pending[position].promise && !ahead[position]) pass_.Keep(i);
    }
    for (const Placement& placement : plan.placements) {
      if (ahead[static_cast<std::size_t>(placement.pending)]) pass_.Adopt(placement);
    }
  }

  std::optional<Instant> StartOf(const Request& request) {
    SnapshotPending changed = row_;
    changed.request = request;
    const auto window = pass_.Probe(changed);
    if (!window) return std::nullopt;
    return window->start();
  }
  bool StartsNow(const Request& request) {
    const auto start = StartOf(request);
    return start && *start <= snapshot_.now;
  }

  void Add(Alternative::Change change, const Request& request, Instant start,
           const std::string& what) {
    const std::string when = start <= snapshot_.now ? "now" : FormatRfc3339(start).insert(0, "by ");
    found_.push_back({.change = change,
                      .request = request,
                      .start = start,
                      .message = what + " it would start " + when});
  }

  /// Of requests numbered from 1 to `count`, each harder to place than the one before: the hardest
  /// that starts now; else the one in the middle, if that starts sooner than planned.
  void Hardest(Alternative::Change change, int64_t count,
               const std::function<Request(int64_t)>& numbered,
               const std::function<std::string(const Request&)>& told) {
    if (count < 1) return;
    int64_t starts = 0;
    int64_t fails = count + 1;
    while (fails - starts > 1) {
      const int64_t middle = starts + (fails - starts) / 2;
      (StartsNow(numbered(middle)) ? starts : fails) = middle;
    }
    const Request request = numbered(starts > 0 ? starts : (count + 1) / 2);
    const auto start = StartOf(request);
    if (start && (!planned_ || *start < *planned_)) Add(change, request, *start, told(request));
  }

  void Shorter() {
    const Seconds duration = row_.request.duration;
    const Seconds step = duration > Hours(2) ? Hours(1) : Minutes(15);
    Hardest(
        Alternative::Change::kShorter, (duration.count - 1) / step.count,
        [&](int64_t steps) {
          Request request = row_.request;
          request.duration = Seconds{steps * step.count};
          return request;
        },
        [&](const Request& request) {
          return "for " + FormatDuration(request.duration) + " instead of " +
                 FormatDuration(duration);
        });
  }

  // A gang by whole nodes, what fits one node by GPUs.
  void Smaller() {
    const Shape shape = row_.request.shape;
    const bool gang = shape.node_count() > 1;
    const int largest = gang ? shape.node_count() - 1 : shape.gpus_per_node - 1;
    Hardest(
        Alternative::Change::kSmaller, largest,
        [&](int64_t size) {
          Request request = row_.request;
          const int count = static_cast<int>(size);
          request.shape = gang ? Shape{count, shape.gpus_per_node, 0} : Shape{1, count, 0};
          if (request.exchanged) {
            const GpuModel to = request.exchanged->model;
            const GpuModel from = to == GpuModel::kH200 ? GpuModel::kB200 : GpuModel::kH200;
            request.exchanged->shape = ExchangedFor(
                request.shape, from, to, gang ? Exchange::kByNode : Exchange::kByGpu, policy_);
          }
          return request;
        },
        [&](const Request& request) {
          std::string told = "with " + Describe(request.shape) + " instead of " + Describe(shape);
          if (request.exchanged) told += " (or as much of the other model as does the same work)";
          return told;
        });
  }

  void OtherModel() {
    const SnapshotProject& project = snapshot_.projects[static_cast<std::size_t>(row_.project)];
    const ProgrammeCaps* caps = FindCaps(policy_, project.programme);
    for (const GpuModel model : kGpuModels) {
      const auto& accepted = row_.request.models;
      if (std::find(accepted.begin(), accepted.end(), model) != accepted.end()) continue;
      const int gpus = row_.request.ShapeOn(model).gpus();
      if (caps != nullptr && caps->gpus_max[static_cast<std::size_t>(model)] < gpus) continue;
      Request request = row_.request;
      request.models = {model};
      const auto start = StartOf(request);
      if (start && (!planned_ || *start < *planned_)) {
        const std::string size =
            request.exchanged ? Describe(request.ShapeOn(model)) + " of " : std::string();
        Add(Alternative::Change::kOtherModel, request, *start,
            "on " + size + std::string(Name(model)));
      }
    }
  }

  // Behind all others, where its own quota is what keeps it.
  void Borrowed() {
    if (row_.request.borrow || policy_.borrowed_gpus_max < row_.request.shape.gpus()) return;
    Request request = row_.request;
    request.borrow = true;
    request.preemptible = true;
    const auto is_sooner = [&](std::optional<Instant> start) {
      return start && (!planned_ || *start < *planned_);
    };
    // Not even with its own turn: then not behind all others either.
    if (!is_sooner(StartOf(request))) return;
    Snapshot changed = snapshot_;
    changed.pending[static_cast<std::size_t>(pending_)].request = request;
    for (const Placement& placement : PlanAround(changed, policy_).placements) {
      const Instant start = placement.window.start();
      if (placement.pending != pending_ || !is_sooner(start)) continue;
      Add(Alternative::Change::kBorrowed, request, start,
          "beyond its quota, to be stopped for others,");
    }
  }

  const Snapshot& snapshot_;
  const Policy& policy_;
  const int pending_;
  const SnapshotPending& row_;
  const std::optional<Instant> planned_;
  Pass pass_;
  std::vector<Alternative> found_;
};

}  // namespace

std::vector<Alternative> FindAlternatives(const Snapshot& snapshot, const Policy& policy,
                                          const Plan& plan, int pending,
                                          std::optional<Instant> planned) {
  const SnapshotPending& row = snapshot.pending[static_cast<std::size_t>(pending)];
  const bool waits_by_itself = row.after || row.grows || EarliestStart(row, policy) > snapshot.now;
  const bool open = snapshot.projects[static_cast<std::size_t>(row.project)].open;
  // A promise is kept ahead of everybody; another request would have to wait its turn.
  if (row.promise || waits_by_itself || !open || (planned && *planned <= snapshot.now)) return {};
  return Search(snapshot, policy, plan, pending, planned).Run();
}

}  // namespace allot::scheduler
