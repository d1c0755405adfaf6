#include "allot/sim/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "allot/sim/figures.h"
#include "sim/report/markup.h"
#include "sim/report/plot.h"
#include "sim/small.h"
#include "sim/well_formed.h"

namespace allot::sim {
namespace {

constexpr Shape kNode{1, 8, 0};

ReportedRun RunOf(const Workload& workload, Discipline discipline) {
  ReportedRun run;
  run.seed = workload.seed;
  run.outcome =
      Simulate(workload, {.discipline = discipline, .policy = Policy(), .keep_nodes = true});
  run.measures = Measure(workload, run.outcome);
  return run;
}

std::vector<ReportedRun> RunsOf(const Workload& workload, std::vector<Discipline> disciplines) {
  std::vector<ReportedRun> runs;
  for (const Discipline discipline : disciplines) runs.push_back(RunOf(workload, discipline));
  return runs;
}

std::string PageOf(const Workload& workload, const std::vector<ReportedRun>& runs) {
  return FormatReport("allot-sim compare", workload, runs);
}

bool Has(const std::string& page, const std::string& text) {
  return page.find(text) != std::string::npos;
}

std::string SectionOf(const std::string& page, const std::string& id) {
  const std::size_t begin = page.find("<section id=\"" + id + "\">");
  if (begin == std::string::npos) return "no section " + id;
  return page.substr(begin, page.find("</section>", begin) - begin);
}

Workload ADayOfLoad() {
  LoadOptions options;
  options.scale = 32;
  options.days = 1;
  return LoadSynthetic(options);
}

const std::vector<Discipline> kEvery(std::begin(kDisciplines), std::end(kDisciplines));

TEST(Report, IsWellFormedAndTellsEveryDisciplineInEverySection) {
  const Workload workload = ADayOfLoad();
  const std::string page = PageOf(workload, RunsOf(workload, kEvery));
  EXPECT_EQ(WhatIsMalformed(page), std::nullopt);
  const std::string disciplines = SectionOf(page, "disciplines");
  const std::string table = disciplines.substr(0, disciplines.find("What the columns are"));
  for (const Discipline discipline : kEvery) {
    EXPECT_TRUE(Has(table, "<th scope=\"row\">" + std::string(Name(discipline)) + "</th><td"));
  }
  // The sections with plots, and how the lines and dots of a discipline begin there.
  for (const auto& [id, drawn_by] :
       std::vector<std::pair<std::string, std::string>>{{"waits", "<circle class=\"mean "},
                                                        {"utilisation", "<path class=\"series "},
                                                        {"fragmentation", "<path class=\"series "},
                                                        {"shares", "<circle class=\"dot "}}) {
    const std::string section = SectionOf(page, id);
    for (const Discipline discipline : kEvery) {
      const std::string name(Name(discipline));
      EXPECT_TRUE(Has(section, ">" + name + "<")) << id << " without " << name;
      EXPECT_TRUE(Has(section, drawn_by + LookOf(discipline) + "\"")) << id << " of " << name;
    }
    EXPECT_TRUE(Has(section, "lang=\"ko\"")) << id;
  }
  EXPECT_TRUE(Has(SectionOf(page, "pool"), "Under allot, first seed. A row is a node"));
}

TEST(Report, NeedsNothingBesideItself) {
  const Workload workload = ADayOfLoad();
  const std::string page = PageOf(workload, RunsOf(workload, {Discipline::kAllot}));
  for (const char* outside : {"http", "src=", "href=", "url(", "@import", "<script", "<link"}) {
    EXPECT_FALSE(Has(page, outside)) << outside;
  }
  for (const char* media : {"prefers-color-scheme:dark", "@media print"}) {
    EXPECT_TRUE(Has(page, media));
  }
}

TEST(Report, EqualRunsGiveEqualBytes) {
  const Workload workload = ADayOfLoad();
  const std::vector<Discipline> some = {Discipline::kEasy, Discipline::kAllot};
  EXPECT_TRUE(PageOf(workload, RunsOf(workload, some)) == PageOf(workload, RunsOf(workload, some)));
}

TEST(Report, NamesOutOfATraceAreTextAndNeverMarkup) {
  Small small(1);
  small.workload().pool.projects[0].id = ProjectId("<script>alert('1')</script>&\"\x01\xff");
  small.workload().pool.clusters[0].id = ClusterId("<c>");
  small.workload().name = "<b>bold</b>";
  small.Add(0, kNode, Hours(1), Hours(1));
  std::vector<ReportedRun> runs = RunsOf(small.workload(), {Discipline::kAllot});
  runs[0].outcome.violations.emplace_back("job 0 is on <node>");
  const std::string page =
      FormatReport("allot-sim run --workload 'a<b>&\"c\x02'", small.workload(), runs);
  EXPECT_EQ(WhatIsMalformed(page), std::nullopt);
  EXPECT_FALSE(Has(page, "<script>"));
  EXPECT_FALSE(Has(page, "<b>"));
  const std::string escaped =
      "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;\\x01\\xff";
  EXPECT_TRUE(Has(SectionOf(page, "shares"), "<th scope=\"row\">" + escaped));
  EXPECT_TRUE(Has(SectionOf(page, "shares"), "<title>" + escaped));
  EXPECT_TRUE(Has(SectionOf(page, "pool"), ">" + escaped + ","));
  EXPECT_TRUE(
      Has(page, "<pre>allot-sim run --workload &#39;a&lt;b&gt;&amp;&quot;c\\x02&#39;</pre>"));
  EXPECT_TRUE(Has(page, "1 violations: this report must not be relied on"));
  EXPECT_TRUE(Has(page, "job 0 is on &lt;node&gt;"));
}

TEST(Report, MarksTheBestOfEachColumnByMediansOfTheSeeds) {
  Small small(1);
  small.Add(0, kNode, Hours(1), Hours(1));
  const std::vector<ReportedRun> first =
      RunsOf(small.workload(), {Discipline::kEasy, Discipline::kAllot});
  std::vector<ReportedRun> runs;
  for (const int seed : {0, 1, 2}) {
    for (ReportedRun run : first) {
      const bool ours = run.outcome.discipline == Discipline::kAllot;
      run.seed = static_cast<uint64_t>(seed);
      // Means of 1, 2 and 30 hours, and of 3, 4 and 5.
      run.measures.all.mean_s = 3'600 * (ours ? (seed == 2 ? 30 : seed + 1) : seed + 3);
      run.measures.utilisation_permille = ours ? 800 : 900;
      run.measures.fragmentation_permille = 50;
      runs.push_back(run);
    }
  }
  const std::string table = SectionOf(PageOf(small.workload(), runs), "disciplines");
  const std::size_t easy = table.find("<th scope=\"row\">easy</th>");
  const std::size_t ours = table.find("<th scope=\"row\">allot</th>");
  ASSERT_LT(easy, ours);
  const std::string easy_row = table.substr(easy, ours - easy);
  const std::string our_row = table.substr(ours, table.find("</tr>", ours) - ours);
  EXPECT_TRUE(Has(easy_row, "<td>4.00</td>")) << easy_row;
  EXPECT_TRUE(Has(our_row, "<td class=\"best\">2.00 ★</td>")) << our_row;
  EXPECT_TRUE(Has(easy_row, "<td class=\"best\">90.0% ★</td>")) << "more is better";
  EXPECT_TRUE(Has(our_row, "<td>80.0%</td>"));
  for (const std::string& row : {easy_row, our_row}) {
    EXPECT_TRUE(Has(row, "<td class=\"best\">5.0% ★</td>")) << "both, when they are equal";
    EXPECT_TRUE(Has(row, "<td>–</td>")) << "no gang, no forecast";
  }
}

TEST(Report, TheTableIsTheOneThatIsPrinted) {
  const Workload workload = ADayOfLoad();
  const auto runs = RunsOf(workload, {Discipline::kEasy, Discipline::kAllot});
  const std::string table = SectionOf(PageOf(workload, runs), "disciplines");
  for (const Figure& figure : Figures()) {
    for (const ReportedRun& run : runs) {
      if (figure.taken_of(run.measures) == 0 || figure.of_plans) continue;
      const std::string text = FormatFigure(figure, figure.of(run.measures));
      EXPECT_TRUE(Has(table, ">" + text + "<") || Has(table, ">" + text + " ★<")) << figure.title;
    }
  }
}

TEST(Report, WhoDoesNotPlanHasNoForecast) {
  Small small(1);
  for (int i = 0; i < 2; ++i) small.Add(0, kNode, Hours(1), Hours(1));
  const auto runs = RunsOf(small.workload(), {Discipline::kFcfs, Discipline::kConservative});
  ASSERT_GT(runs[0].measures.forecasts, 0) << "it was told its start as it started";
  const std::string table = SectionOf(PageOf(small.workload(), runs), "disciplines");
  EXPECT_TRUE(Has(table, "<td>–</td></tr>\n<tr><th scope=\"row\">conservative<"));
  EXPECT_TRUE(Has(table, "<td class=\"best\">0.00 ★</td></tr>"));
}

TEST(Report, WaitsAreDrawnWhereTheirNumbersLie) {
  Small small(1);
  // A node is busy for an hour, and a job that came at once waits for it.
  small.Add(0, kNode, Hours(1), Hours(1)).Add(0, kNode, Hours(1), Hours(1));
  const std::string waits =
      SectionOf(PageOf(small.workload(), RunsOf(small.workload(), {Discipline::kFcfs})), "waits");
  EXPECT_TRUE(Has(waits, "<title>fcfs, one node: mean 0.50 h, p95 1.00 h, p99 1.00 h</title>"));
  EXPECT_TRUE(Has(waits, "no such job")) << "parts of nodes, and gangs";
  // The axis goes from the last tick below the mean to the longest wait, where the p99 is.
  EXPECT_TRUE(Has(waits, ">10 min</text>") && !Has(waits, ">1 min</text>"));
  const LogScale scale(600, 3'600, 190, 930);
  EXPECT_EQ(scale.At(3'600), 9'300);
  EXPECT_TRUE(Has(waits, "<circle class=\"mean d-fcfs\" cx=\"" + Tenths(scale.At(1'800)) + "\""));
  std::smatch p99;
  ASSERT_TRUE(std::regex_search(waits, p99, std::regex("class=\"p99 d-fcfs\" d=\"M([0-9.]+) ")));
  EXPECT_EQ(p99[1], "930");
}

TEST(Report, UseIsDrawnInPercentOfThePool) {
  Small small(2);
  // Half of the pool for all eight hours; of the other node two GPUs, so that six are stranded.
  small.Add(0, kNode, Hours(8), Hours(8)).Add(0, {1, 2, 0}, Hours(4), Hours(4));
  const std::string page = PageOf(small.workload(), RunsOf(small.workload(), {Discipline::kAllot}));
  const std::regex curve("<path class=\"series d-allot\" d=\"(M[^\"]*)\"><title>allot");
  std::smatch found;
  const std::string used = SectionOf(page, "utilisation");
  ASSERT_TRUE(std::regex_search(used, found, curve));
  // The plot is 260 high and ends at 312; 10 of 16 GPUs are 625 per mille, then 8 are 500.
  EXPECT_EQ(found[1],
            "M70 149.5L178.7 149.5L287.5 149.5L396.2 149.5L505 182L613.7 182L722.5 182L831.2 182");
  const std::string broken = SectionOf(page, "fragmentation");
  ASSERT_TRUE(std::regex_search(broken, found, curve));
  // 6 of 16 GPUs are 375 per mille, on an axis that ends at 500; then none.
  EXPECT_EQ(found[1],
            "M70 117L178.7 117L287.5 117L396.2 117L505 312L613.7 312L722.5 312L831.2 312");
  EXPECT_TRUE(Has(broken, ">50 %</text>"));
}

TEST(Report, SharesAreDotsAroundOne) {
  Small small(1);
  small.Add(0, kNode, Hours(8), Hours(8), 0).Add(0, kNode, Hours(8), Hours(8), 1);
  auto runs = RunsOf(small.workload(), {Discipline::kGreedy, Discipline::kAllot});
  for (ReportedRun& run : runs) {
    run.outcome.entitled_gpu_seconds = {360'000, 3'600};
    run.outcome.held_gpu_seconds = {180'000, 3'600 * 100};
  }
  const std::string shares = SectionOf(PageOf(small.workload(), runs), "shares");
  EXPECT_LT(shares.find(">allot<"), shares.find(">greedy<"));
  EXPECT_TRUE(Has(shares, "<th scope=\"row\">i/a</th><td>100</td><td>0.50</td><td>0.50</td>"));
  // On the line of one half, and on the upper edge of the first strip.
  const LogScale scale(125, 8'000, 112, 20);
  EXPECT_TRUE(Has(shares, "cy=\"" + Tenths(scale.At(500)) + "\" r=\"2.5\"><title>i/a: 0.50<"));
  EXPECT_TRUE(Has(shares, "cy=\"20\" r=\"2.5\"><title>i/b: 100.00<"));
}

TEST(Report, ThePoolIsDrawnNodeByNode) {
  Small small(3);
  small.workload().end = small.workload().begin + Minutes(420);
  // Two whole nodes for the first hour; two GPUs of a third for half an hour, later six.
  small.Add(0, {2, 8, 0}, Hours(1), Hours(1), 0);
  small.Add(0, {1, 2, 0}, Minutes(30), Minutes(30), 1);
  small.Add(100, {1, 6, 0}, Minutes(30), Minutes(20), 1);
  const std::string pool =
      SectionOf(PageOf(small.workload(), RunsOf(small.workload(), {Discipline::kAllot})), "pool");
  EXPECT_TRUE(Has(pool, "a column 1m."));
  // Columns are minutes. The first project used most; both its rows begin at the left.
  std::smatch found;
  ASSERT_TRUE(std::regex_search(pool, found, std::regex("<path class=\"p0\" d=\"([^\"]*)\"")));
  const bool upper = found[1] == "M0 0m0 0h60m-60 1h60";
  const bool lower = found[1] == "M0 0m0 1h60m-60 1h60";
  EXPECT_TRUE(upper || lower) << found[1];
  ASSERT_TRUE(std::regex_search(pool, found, std::regex("<path class=\"p1 half\" d=\"([^\"]*)\"")));
  EXPECT_EQ(found[1], upper ? "M0 0m0 2h30" : "M0 0m0 0h30") << "less than half of its GPUs";
  ASSERT_TRUE(std::regex_search(pool, found, std::regex("<path class=\"p1\" d=\"([^\"]*)\"")));
  EXPECT_TRUE(std::regex_match(std::string(found[1]), std::regex("M0 0m100 [0-2]h20")));
  EXPECT_TRUE(Has(pool, ">i/a, 84.2%")) << "960 of 1,140 GPU-minutes in use";
}

TEST(Report, StaysSmallWhateverRan) {
  LoadOptions options;
  options.days = 7;
  options.load_permille = 1;
  Workload workload = LoadSynthetic(options);
  ASSERT_EQ(workload.pool.nodes.size(), 1'307U);
  const scheduler::SnapshotProject project = workload.pool.projects.front();
  workload.pool.projects.assign(3'000, project);
  workload.jobs.clear();
  ReportedRun run;
  run.seed = workload.seed;
  run.outcome.entitled_gpu_seconds.assign(3'000, 1'000);
  run.outcome.held_gpu_seconds.assign(3'000, 1'234);
  run.outcome.samples.assign(9'000, {workload.begin, 1, 1});
  // Every cell of the chart unlike its neighbours, and every colour in use.
  for (int node = 0; node < 1'307; node += 3) {
    for (int column = 0; column < 420; ++column) {
      Job job;
      job.project = (node / 3 + column) % 14;
      job.run = Minutes(24);
      workload.jobs.push_back(job);
      JobOutcome outcome;
      outcome.start = workload.begin + Minutes(24 * column);
      outcome.stays.push_back({outcome.start, outcome.start + Minutes(24), {}});
      for (int i = node; i < std::min(node + 3, 1'307); ++i) {
        outcome.stays[0].nodes.push_back({i, 0xff});
      }
      run.outcome.jobs.push_back(outcome);
    }
  }
  std::vector<ReportedRun> runs;
  for (const Discipline discipline : kEvery) {
    run.outcome.discipline = discipline;
    runs.push_back(run);
  }
  const std::string page = PageOf(workload, runs);
  EXPECT_EQ(WhatIsMalformed(page), std::nullopt);
  EXPECT_TRUE(Has(page, "A row is 3 nodes side by side, a column 24m."));
  EXPECT_TRUE(Has(page, "Of 3,000 projects the plot shows the 600"));
  EXPECT_GT(page.size(), 1'500'000U) << "the worst case is not what it was meant to be";
  EXPECT_LT(page.size(), 3'000'000U);
}

TEST(Report, AFactorIsADistance) {
  EXPECT_EQ(Log2(0), 0);
  EXPECT_EQ(Log2(1), 0);
  EXPECT_EQ(Log2(1'024), 10 * 1'024);
  EXPECT_NEAR(static_cast<double>(Log2(3'600)), 1'024 * 11.8138, 1.5);
  EXPECT_NEAR(static_cast<double>(Log2(int64_t{1} << 40) + Log2(3)), 1'024 * 41.585, 1.5);
  const LogScale scale(100, 400, 0, 100);
  EXPECT_EQ(scale.At(200), 500);
  EXPECT_EQ(scale.At(1), 0);
  EXPECT_EQ(scale.At(99'999), 1'000);
}

TEST(WellFormed, FindsWhatIsNot) {
  const std::string head = "<!DOCTYPE html>\n";
  EXPECT_EQ(WhatIsMalformed(head + "<p id=\"a\">x &amp; y<br/></p>\n"), std::nullopt);
  for (const char* page : {"<p>", "<p></q>", "</p>", "<p><br></p>", "<p id=a></p>", "<p>&nbsp;</p>",
                           "<p a=\"<\"></p>", "<p id=\"a\"><b id=\"a\"></b></p>", "<p>\x01</p>",
                           "<p>\xff</p>", "<p></p><p></p>", "x<p></p>", "", "<p>< </p>"}) {
    EXPECT_NE(WhatIsMalformed(head + page), std::nullopt) << page;
  }
}

}  // namespace
}  // namespace allot::sim
