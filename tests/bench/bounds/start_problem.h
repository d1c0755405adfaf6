#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "allot/model/request.h"

namespace allot::bounds {

/// Blocks of k GPUs, each on one node, at [k - 1].
using Blocks = std::array<int64_t, kGpusPerNode>;

/// What a node with so many GPUs free has of each.
Blocks BlocksOfNode(int free_gpus);
/// What a shape takes at the least. A node that holds pieces of g GPUs, ∑ g <= a, has
/// ∑ ⌊g/k⌋ <= ⌊a/k⌋: so no plan on physical nodes takes more blocks than are free, for any k.
Blocks BlocksOfShape(const Shape& shape);

/// GPUs of one model, or of one cluster.
struct Pool {
  /// By slot, never falling; behind the last one as in it. Not empty.
  std::vector<Blocks> free;
};

struct Job {
  int64_t weight = 1;
  Shape shape;
  /// For how many slots it holds its GPUs.
  int slots = 1;
  /// Starts in this slot or later …
  int release = 0;
  /// … and no later than in this one.
  int latest = std::numeric_limits<int>::max();
  /// Where it may run, as a whole; sorted.
  std::vector<int> pools;

  friend auto operator<=>(const Job&, const Job&) = default;
};

/// When does everybody start, to make ∑ weight · (start − release) the least? GPUs are counted, as
/// BlocksOfShape says, instead of placed; that a window stays on the same node is left out. Every
/// plan on physical nodes obeys these counts, so the optimum is a lower bound for them; it is
/// theirs where its starts can be placed (Realise).
struct StartProblem {
  std::vector<Pool> pools;
  std::vector<Job> jobs;
  /// Starts are told apart for so many slots from a job's release on. A later one counts as if it
  /// were right behind them and took no GPUs, which never makes the optimum greater.
  int reach = 0;
  /// The k for which blocks are counted: all that matter, or only GPUs (k = 1).
  bool gpus_only = false;
};

/// One unknown: so many jobs of a group start there.
struct Column {
  int group = 0;
  /// -1: later than told apart.
  int pool = -1;
  int start = 0;
};

/// The model in MPS format, and what its columns mean: column i is named "x<i>".
struct StartModel {
  std::string mps;
  std::vector<Column> columns;
  /// Equal jobs by position: one unknown for all of them, which is exact and has no symmetries.
  std::vector<std::vector<int>> groups;
};

/// Integer, or its relaxation in which parts of a job start at several times. The same problem
/// gives the same text.
StartModel BuildModel(const StartProblem& problem, bool integer);

/// Where the jobs start in a solution.
struct JobStart {
  int pool = -1;
  int start = 0;
};
/// By job. Requires: the values of a solution of the integer model.
std::vector<JobStart> StartsOf(const StartModel& model, const std::vector<double>& values);

}  // namespace allot::bounds
