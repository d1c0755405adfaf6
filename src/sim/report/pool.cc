#include <algorithm>
#include <array>
#include <numeric>

#include "allot/sim/figures.h"
#include "sim/report/markup.h"
#include "sim/report/plot.h"
#include "sim/report/sections.h"

namespace allot::sim {
namespace {

// The chart has at most this many cells, whatever the pool and however long: in the worst of cases,
// each cell unlike its neighbours, they take 2 MB.
constexpr int kRowsMax = 440;
constexpr int kColumnsMax = 420;
constexpr int kPlotLeft = 110;
constexpr int kPlotWidth = 840;
constexpr int kLegendRow = 17;

/// Projects with a colour of their own; the others share some pale ones.
constexpr std::size_t kOwnColours = 8;
constexpr std::size_t kSharedColours = 6;
constexpr std::size_t kColours = kOwnColours + kSharedColours;

std::string ColourClass(std::size_t colour) {
  return colour < kOwnColours ? "p" + std::to_string(colour)
                              : "o" + std::to_string(colour - kOwnColours);
}

/// Neighbouring nodes of one cluster.
struct ChartRow {
  int cluster = 0;
  int nodes = 0;
};

/// How the pool and the time are cut into cells.
struct Grid {
  int nodes_a_row = 1;
  std::vector<ChartRow> rows;
  std::vector<std::size_t> row_of_node;
  Seconds column;
  std::size_t columns = 0;
};

Grid GridOf(const Workload& workload) {
  const auto& nodes = workload.pool.nodes;
  Grid grid;
  grid.nodes_a_row = (static_cast<int>(nodes.size()) + kRowsMax - 1) / kRowsMax;
  for (const scheduler::SnapshotNode& node : nodes) {
    if (grid.rows.empty() || grid.rows.back().cluster != node.cluster ||
        grid.rows.back().nodes == grid.nodes_a_row) {
      grid.rows.push_back({node.cluster, 0});
    }
    ++grid.rows.back().nodes;
    grid.row_of_node.push_back(grid.rows.size() - 1);
  }
  const int64_t length = Between(workload.begin, workload.end).count;
  const int64_t minutes = (length + kColumnsMax * 60 - 1) / (kColumnsMax * 60);
  grid.column = Minutes(minutes);
  grid.columns = static_cast<std::size_t>((length + grid.column.count - 1) / grid.column.count);
  return grid;
}

/// GPU-seconds of the projects in one cell.
struct Part {
  int project = 0;
  int64_t gpu_seconds = 0;
};
using GridCell = std::vector<Part>;

void Add(GridCell& cell, int project, int64_t gpu_seconds) {
  const auto found = std::find_if(cell.begin(), cell.end(),
                                  [&](const Part& part) { return part.project == project; });
  if (found != cell.end()) {
    found->gpu_seconds += gpu_seconds;
  } else {
    cell.push_back({project, gpu_seconds});
  }
}

/// Row by row.
std::vector<GridCell> CellsOf(const Workload& workload, const Outcome& outcome, const Grid& grid) {
  std::vector<GridCell> cells(grid.rows.size() * grid.columns);
  const int64_t length = Between(workload.begin, workload.end).count;
  for (std::size_t i = 0; i < outcome.jobs.size(); ++i) {
    const Job& job = workload.jobs[i];
    for (const Stay& stay : outcome.jobs[i].stays) {
      const int64_t from = std::max<int64_t>(Between(workload.begin, stay.start).count, 0);
      const int64_t until = std::min(Between(workload.begin, stay.until).count, length);
      for (int64_t at = from; at < until;) {
        const int64_t column = at / grid.column.count;
        const int64_t next = std::min((column + 1) * grid.column.count, until);
        for (const scheduler::PlacedNode& placed : stay.nodes) {
          const std::size_t row = grid.row_of_node[static_cast<std::size_t>(placed.node)];
          Add(cells[row * grid.columns + static_cast<std::size_t>(column)], job.project,
              (next - at) * CountGpus(placed.gpus));
        }
        at = next;
      }
    }
  }
  return cells;
}

/// By position of the project.
std::vector<int64_t> UsedBy(const std::vector<GridCell>& cells, std::size_t projects) {
  std::vector<int64_t> used(projects, 0);
  for (const GridCell& cell : cells) {
    for (const Part& part : cell) used[static_cast<std::size_t>(part.project)] += part.gpu_seconds;
  }
  return used;
}

/// Those with a colour of their own: who used most, then by id.
std::vector<std::size_t> LargestUsers(const std::vector<int64_t>& used) {
  std::vector<std::size_t> order(used.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return used[a] > used[b]; });
  const auto idle = std::find_if(order.begin(), order.end(),
                                 [&](std::size_t project) { return used[project] == 0; });
  order.erase(idle, order.end());
  order.resize(std::min(order.size(), kOwnColours));
  return order;
}

/// What a cell looks like: nothing, or a colour, strong or faint.
constexpr std::size_t kNoLook = 2 * kColours;
constexpr std::size_t Look(std::size_t colour, bool faint) { return 2 * colour + (faint ? 1 : 0); }

std::size_t Appearance(const GridCell& cell, int64_t whole,
                       const std::vector<std::size_t>& colour_of) {
  if (cell.empty()) return kNoLook;
  int64_t in_use = 0;
  for (const Part& part : cell) in_use += part.gpu_seconds;
  const Part& most = *std::max_element(cell.begin(), cell.end(), [](const Part& a, const Part& b) {
    return a.gpu_seconds != b.gpu_seconds ? a.gpu_seconds < b.gpu_seconds : a.project > b.project;
  });
  return Look(colour_of[static_cast<std::size_t>(most.project)], 2 * in_use < whole);
}

/// One path for each look, in steps from stroke to stroke: the shortest that SVG can say it.
class Strokes {
 public:
  void Add(std::size_t look, int64_t column, int64_t row, int64_t length) {
    Path& path = paths_[look];
    path.text += "m" + std::to_string(column - path.column) + " " + std::to_string(row - path.row) +
                 "h" + std::to_string(length);
    path.column = column + length;
    path.row = row;
  }

  std::string Markup() const {
    std::string out;
    for (std::size_t look = 0; look < paths_.size(); ++look) {
      if (paths_[look].text.empty()) continue;
      out += "<path class=\"" + ColourClass(look / 2) + (look % 2 == 1 ? " half" : "") +
             "\" d=\"M0 0" + paths_[look].text + "\"/>\n";
    }
    return out;
  }

 private:
  struct Path {
    std::string text;
    int64_t column = 0;
    int64_t row = 0;
  };
  std::array<Path, kNoLook> paths_;
};

/// Equal neighbours of a row are one stroke.
std::string StrokesOf(const Grid& grid, const std::vector<GridCell>& cells,
                      const std::vector<std::size_t>& colour_of) {
  Strokes strokes;
  for (std::size_t row = 0; row < grid.rows.size(); ++row) {
    const int64_t whole = int64_t{grid.rows[row].nodes} * kGpusPerNode * grid.column.count;
    std::size_t begin = 0;
    std::size_t look = kNoLook;
    for (std::size_t column = 0; column <= grid.columns; ++column) {
      const std::size_t next =
          column == grid.columns ? kNoLook
                                 : Appearance(cells[row * grid.columns + column], whole, colour_of);
      if (next == look && column < grid.columns) continue;
      if (look != kNoLook) {
        strokes.Add(look, static_cast<int64_t>(begin), static_cast<int64_t>(row),
                    static_cast<int64_t>(column - begin));
      }
      begin = column;
      look = next;
    }
  }
  return strokes.Markup();
}

std::string Swatch(int y, const std::string& look) {
  return "<rect class=\"swatch " + look + "\" x=\"" + std::to_string(kPlotLeft) + "\" y=\"" +
         std::to_string(y) + "\" width=\"26\" height=\"12\"/>\n";
}

std::string PoolLegend(const Workload& workload, const std::vector<int64_t>& used,
                       const std::vector<std::size_t>& largest) {
  const int64_t in_all = std::accumulate(used.begin(), used.end(), int64_t{0});
  std::string out;
  int y = 4;
  for (std::size_t colour = 0; colour < largest.size(); ++colour) {
    const std::size_t project = largest[colour];
    out += Swatch(y, ColourClass(colour));
    out += Text(kPlotLeft + 34, y + 11, "label",
                EscapedName(workload.pool.projects[project].id.str()) + ", " +
                    FormatPercent(used[project] * 1000 / in_all) + " of the GPU time in use");
    y += kLegendRow;
  }
  for (std::size_t shared = 0; shared < kSharedColours; ++shared) {
    out += "<rect class=\"swatch " + ColourClass(kOwnColours + shared) + "\" x=\"" +
           std::to_string(kPlotLeft + 12 * static_cast<int>(shared)) + "\" y=\"" +
           std::to_string(y) + "\" width=\"12\" height=\"12\"/>\n";
  }
  return out + Text(kPlotLeft + 12 * static_cast<int>(kSharedColours) + 8, y + 11, "label",
                    "everybody else, in turn: different colours are different projects, equal "
                    "ones need not be the same");
}

std::string ClusterNames(const Workload& workload, const Grid& grid, const Frame& frame,
                         int row_height) {
  std::string out = Text(4, frame.top - 6, "axis", "nodes");
  std::size_t begin = 0;
  for (std::size_t row = 1; row <= grid.rows.size(); ++row) {
    if (row < grid.rows.size() && grid.rows[row].cluster == grid.rows[begin].cluster) continue;
    const int top = frame.top + static_cast<int>(begin) * row_height;
    const int bottom = frame.top + static_cast<int>(row) * row_height;
    const auto cluster = static_cast<std::size_t>(grid.rows[begin].cluster);
    out += Line("even", 0, top * 10, frame.right() * 10, top * 10);
    out += Text(frame.left - 8, (top + bottom) / 2 + 4, "tick end",
                EscapedName(workload.pool.clusters[cluster].id.str()));
    begin = row;
  }
  return out;
}

std::string Remark(const Grid& grid, Discipline discipline) {
  const std::string rows = grid.nodes_a_row == 1 ? std::string("A row is a node")
                                                 : "A row is " + std::to_string(grid.nodes_a_row) +
                                                       " nodes side by side";
  return "Under " + std::string(Name(discipline)) + ", first seed. " + rows + ", a column " +
         FormatDuration(grid.column) +
         ". A cell has the colour of the project that used most of it; it is faint where less than "
         "half of its GPU time was in use, and empty where none was. However large the pool, the "
         "chart has at most about " +
         std::to_string(kRowsMax) + " rows and " + std::to_string(kColumnsMax) + " columns.";
}

}  // namespace

std::string PoolSection(const Workload& workload, const std::vector<ReportedRun>& runs) {
  const Discipline discipline = ChartedDiscipline(DisciplinesOf(runs));
  const Outcome& outcome = FirstRunOf(runs, workload.seed, discipline).outcome;
  const Grid grid = GridOf(workload);
  const std::vector<GridCell> cells = CellsOf(workload, outcome, grid);
  const std::vector<int64_t> used = UsedBy(cells, workload.pool.projects.size());
  const std::vector<std::size_t> largest = LargestUsers(used);
  std::vector<std::size_t> colour_of(used.size());
  for (std::size_t p = 0; p < used.size(); ++p) colour_of[p] = kOwnColours + p % kSharedColours;
  for (std::size_t i = 0; i < largest.size(); ++i) colour_of[largest[i]] = i;

  const auto rows = static_cast<int>(grid.rows.size());
  const auto columns = static_cast<int>(grid.columns);
  const int row_height = std::clamp(2 * kRowsMax / rows, 2, 14);
  const int column_tenths = kPlotWidth * 10 / columns;
  const int legend = (static_cast<int>(largest.size()) + 1) * kLegendRow;
  const Frame frame{kPlotLeft, legend + 16, columns * column_tenths / 10, rows * row_height};
  std::string body = PoolLegend(workload, used, largest);
  body += DaysAxis(frame, {static_cast<int64_t>(columns) * grid.column.count});
  // In cells; a stroke runs along the middle of its row.
  body += "<g class=\"cells\" transform=\"translate(" + std::to_string(frame.left) + " " +
          std::to_string(frame.top) + ") scale(" + Tenths(column_tenths) + " " +
          std::to_string(row_height) + ") translate(0 .5)\">\n" +
          StrokesOf(grid, cells, colour_of) + "</g>\n";
  body += ClusterNames(workload, grid, frame, row_height);
  return Section(
      "pool", "The pool, node by node", "노드별 사용 현황 (간트 차트)",
      Paragraph(Remark(grid, discipline)) +
          Picture("pool-plot", kPictureWidth, frame.bottom() + 44, "Gantt chart of the pool",
                  "Nodes from top to bottom by cluster, time from left to right, "
                  "coloured by the project that used them.",
                  body));
}

}  // namespace allot::sim
