#include "bench/bounds/start_problem.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "allot/base/check.h"

namespace allot::bounds {
namespace {

const Blocks& FreeIn(const Pool& pool, int slot) {
  return pool.free[std::min(static_cast<std::size_t>(slot), pool.free.size() - 1)];
}

/// Which counts say nothing that others do not: many do, and every row makes the solver slower.
class ImpliedCounts {
 public:
  explicit ImpliedCounts(const std::vector<Job>& jobs) {
    for (std::size_t k = 0; k < kGpusPerNode; ++k) {
      for (std::size_t other = 0; other < kGpusPerNode; ++other) {
        for (const Job& job : jobs) {
          const Blocks taken = BlocksOfShape(job.shape);
          Ratio& most = most_[k][other];
          if (taken[k] * most.of > most.taken * taken[other]) most = {taken[k], taken[other]};
        }
      }
    }
  }

  /// Whoever takes r blocks of another size takes no more than q · r of size k, and q times what is
  /// free of those is free of k, or more. Of two that say the same the greater size is kept.
  bool Implied(std::size_t k, const Blocks& free) const {
    for (std::size_t other = 0; other < kGpusPerNode; ++other) {
      const Ratio& most = most_[k][other];
      if (other == k || most.of == 0) continue;
      const int64_t left = most.taken * free[other];
      const int64_t right = most.of * free[k];
      if (left < right || (left == right && other > k)) return true;
    }
    return false;
  }

 private:
  // 0 of 1 where nobody takes any; anything of 0 where some take k but nothing of the other size.
  struct Ratio {
    int64_t taken = 0;
    int64_t of = 1;
  };
  std::array<std::array<Ratio, kGpusPerNode>, kGpusPerNode> most_{};
};

std::vector<std::vector<int>> Groups(const std::vector<Job>& jobs) {
  std::map<Job, std::vector<int>> by_job;
  for (int i = 0; i < static_cast<int>(jobs.size()); ++i) {
    by_job[jobs[static_cast<std::size_t>(i)]].push_back(i);
  }
  std::vector<std::vector<int>> groups;
  groups.reserve(by_job.size());
  for (auto& [job, positions] : by_job) groups.push_back(std::move(positions));
  return groups;
}

/// (pool, slot, k): blocks that are free then. Sorted, so that the text is always the same.
using CapacityRow = std::tuple<int, int, std::size_t>;

class Writer {
 public:
  Writer(const StartProblem& problem, bool integer)
      : problem_(problem), integer_(integer), sizes_(problem.gpus_only ? 1 : kGpusPerNode) {
    model_.groups = Groups(problem.jobs);
  }

  StartModel Write() {
    for (int group = 0; group < static_cast<int>(model_.groups.size()); ++group) AddColumns(group);
    FindBindingRows();
    WriteRows();
    WriteColumns();
    WriteBounds();
    return std::move(model_);
  }

 private:
  const Job& JobOf(int group) const {
    return problem_
        .jobs[static_cast<std::size_t>(model_.groups[static_cast<std::size_t>(group)].front())];
  }
  int64_t CountOf(int group) const {
    return static_cast<int64_t>(model_.groups[static_cast<std::size_t>(group)].size());
  }

  void AddColumns(int group) {
    const Job& job = JobOf(group);
    const int behind = job.release + problem_.reach;
    const int end = std::min(behind - 1, job.latest) + 1;
    for (const int pool : job.pools) {
      for (int start = job.release; start < end; ++start) {
        if (FitsAlone(job, pool, start)) model_.columns.push_back({group, pool, start});
      }
    }
    if (job.latest >= behind) model_.columns.push_back({group, -1, behind});
  }

  // What is free never falls, so the first slot decides.
  bool FitsAlone(const Job& job, int pool, int start) const {
    const Blocks& free = FreeIn(problem_.pools[static_cast<std::size_t>(pool)], start);
    const Blocks taken = BlocksOfShape(job.shape);
    return std::equal(taken.begin(), taken.begin() + sizes_, free.begin(),
                      [](int64_t wanted, int64_t there) { return wanted <= there; });
  }

  template <class Visit>
  void ForEachTaken(const Column& column, Visit visit) const {
    if (column.pool < 0) return;
    const Job& job = JobOf(column.group);
    const Blocks taken = BlocksOfShape(job.shape);
    for (int slot = column.start; slot < column.start + job.slots; ++slot) {
      for (std::size_t k = 0; k < static_cast<std::size_t>(sizes_); ++k) {
        if (taken[k] > 0) visit(CapacityRow(column.pool, slot, k), taken[k]);
      }
    }
  }

  // A row that all who could be there at once would leave satisfied is not needed. A group's
  // columns stand together, so the last group seen in a row tells whether this one was counted.
  void FindBindingRows() {
    std::map<CapacityRow, int64_t> most;
    std::map<CapacityRow, int> last_group;
    for (const Column& column : model_.columns) {
      ForEachTaken(column, [&](const CapacityRow& row, int64_t taken) {
        const auto [last, is_new] = last_group.emplace(row, column.group);
        if (!is_new && last->second == column.group) return;
        last->second = column.group;
        most[row] += taken * CountOf(column.group);
      });
    }
    const ImpliedCounts implied(problem_.jobs);
    for (const auto& [row, taken] : most) {
      if (taken <= FreeOf(row)) continue;
      const auto& [pool, slot, k] = row;
      const Blocks& free = FreeIn(problem_.pools[static_cast<std::size_t>(pool)], slot);
      if (!problem_.gpus_only && implied.Implied(k, free)) continue;
      rows_.emplace(row, static_cast<int>(rows_.size()));
    }
  }

  int64_t FreeOf(const CapacityRow& row) const {
    const auto& [pool, slot, k] = row;
    return FreeIn(problem_.pools[static_cast<std::size_t>(pool)], slot)[k];
  }

  // Fields in the columns of fixed MPS, which readers of either kind take.
  void Line(const std::string& first, const std::string& second, int64_t value) {
    std::string& out = model_.mps;
    out += "    " + first + std::string(10 - first.size(), ' ');
    out += second + std::string(10 - second.size(), ' ') + std::to_string(value) + "\n";
  }
  static std::string Named(char kind, std::size_t number) { return kind + std::to_string(number); }

  void WriteRows() {
    std::string& out = model_.mps;
    out += "NAME          STARTS\nROWS\n N  cost\n";
    for (std::size_t group = 0; group < model_.groups.size(); ++group) {
      out += " E  " + Named('j', group) + "\n";
    }
    for (std::size_t row = 0; row < rows_.size(); ++row) out += " L  " + Named('c', row) + "\n";
  }

  void WriteColumns() {
    model_.mps += "COLUMNS\n";
    if (integer_) model_.mps += "    MARKER                 'MARKER'                 'INTORG'\n";
    for (std::size_t i = 0; i < model_.columns.size(); ++i) {
      const Column& column = model_.columns[i];
      const std::string name = Named('x', i);
      const Job& job = JobOf(column.group);
      const int64_t cost = job.weight * (column.start - job.release);
      if (cost != 0) Line(name, "cost", cost);
      Line(name, Named('j', static_cast<std::size_t>(column.group)), 1);
      ForEachTaken(column, [&](const CapacityRow& row, int64_t taken) {
        const auto found = rows_.find(row);
        if (found != rows_.end()) {
          Line(name, Named('c', static_cast<std::size_t>(found->second)), taken);
        }
      });
    }
    if (integer_) model_.mps += "    MARKER                 'MARKER'                 'INTEND'\n";
  }

  void WriteBounds() {
    model_.mps += "RHS\n";
    for (int group = 0; group < static_cast<int>(model_.groups.size()); ++group) {
      Line("RHS", Named('j', static_cast<std::size_t>(group)), CountOf(group));
    }
    for (const auto& [row, number] : rows_) {
      Line("RHS", Named('c', static_cast<std::size_t>(number)), FreeOf(row));
    }
    model_.mps += "BOUNDS\n";
    for (std::size_t i = 0; i < model_.columns.size(); ++i) {
      const std::string name = Named('x', i);
      model_.mps += " UP BOUND     " + name + std::string(10 - name.size(), ' ') +
                    std::to_string(CountOf(model_.columns[i].group)) + "\n";
    }
    model_.mps += "ENDATA\n";
  }

  const StartProblem& problem_;
  const bool integer_;
  const std::ptrdiff_t sizes_;
  StartModel model_;
  std::map<CapacityRow, int> rows_;
};

}  // namespace

Blocks BlocksOfNode(int free_gpus) {
  Blocks blocks{};
  for (int k = 1; k <= kGpusPerNode; ++k) blocks[static_cast<std::size_t>(k) - 1] = free_gpus / k;
  return blocks;
}

Blocks BlocksOfShape(const Shape& shape) {
  const Blocks each = BlocksOfNode(shape.gpus_per_node);
  const Blocks rest = BlocksOfNode(shape.remainder_gpus);
  Blocks blocks{};
  for (std::size_t k = 0; k < blocks.size(); ++k) blocks[k] = shape.nodes * each[k] + rest[k];
  return blocks;
}

StartModel BuildModel(const StartProblem& problem, bool integer) {
  return Writer(problem, integer).Write();
}

std::vector<JobStart> StartsOf(const StartModel& model, const std::vector<double>& values) {
  std::size_t jobs = 0;
  for (const auto& group : model.groups) jobs += group.size();
  std::vector<JobStart> starts(jobs);
  std::vector<std::size_t> told(model.groups.size(), 0);
  for (std::size_t i = 0; i < model.columns.size(); ++i) {
    const Column& column = model.columns[i];
    const auto group = static_cast<std::size_t>(column.group);
    for (int64_t left = std::llround(values[i]); left > 0; --left) {
      const int job = model.groups[group].at(told[group]++);
      starts[static_cast<std::size_t>(job)] = {column.pool, column.start};
    }
  }
  for (std::size_t group = 0; group < told.size(); ++group) {
    ALLOT_CHECK(told[group] == model.groups[group].size());
  }
  return starts;
}

}  // namespace allot::bounds
