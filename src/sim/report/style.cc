#include "sim/report/sections.h"

namespace allot::sim {
namespace {

// Text and lines of either set stand out from its ground by at least 4.5 to 1. Disciplines differ
// by dashes too, so that a page printed in grey can be read.
constexpr const char* kLight =
    "--ground:#fff;--ink:#1c2126;--quiet:#5a646e;--rule:#dde2e7;--best:#e6f2e6;--warn:#a3180c;"
    "--allot:#0b5fb0;--fcfs:#666;--greedy:#a84a06;--drf:#00766a;--easy:#ae1766;"
    "--conservative:#5b3fb5;--whole:#756500;"
    "--p0:#0072b2;--p1:#d55e00;--p2:#00946b;--p3:#c23f86;--p4:#d99a00;--p5:#6a4fb3;--p6:#4aa8e0;"
    "--p7:#7f5539;--o0:#bccad8;--o1:#d8c9b6;--o2:#c0d3ba;--o3:#d3bfd6;--o4:#b4d2d2;--o5:#dcd6b0";
constexpr const char* kDark =
    "--ground:#14181c;--ink:#e8ecf0;--quiet:#a3adb7;--rule:#333b43;--best:#1d3a24;--warn:#ff8f80;"
    "--allot:#6db3ff;--fcfs:#a8a8a8;--greedy:#ff9d45;--drf:#3fd0b6;--easy:#ff7db8;"
    "--conservative:#b6a0ff;--whole:#d9c74a;"
    "--p0:#4ea8e0;--p1:#ff8a3d;--p2:#2fc79a;--p3:#f07ab5;--p4:#f5c542;--p5:#a48bf0;--p6:#9adcff;"
    "--p7:#c79a74;--o0:#45525f;--o1:#5a4e40;--o2:#465a42;--o3:#58465b;--o4:#3e595a;--o5:#585436";

constexpr const char* kRules = R"(
*{box-sizing:border-box}
body{margin:0 auto;padding:24px 20px 60px;max-width:1040px;background:var(--ground);
color:var(--ink);font:16px/1.5 system-ui,"Noto Sans","Noto Sans KR","Malgun Gothic",sans-serif}
h1{font-size:1.7em;line-height:1.25;margin:0 0 .2em}
h2{font-size:1.25em;margin:2.2em 0 .4em;padding-top:.5em;border-top:1px solid var(--rule)}
.ko{color:var(--quiet);font-weight:400;font-size:.85em}
p{max-width:75ch;margin:.5em 0}
pre{overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;padding:10px 12px;
border:1px solid var(--rule);border-radius:6px;font-size:.9em}
.warn{color:var(--warn);font-weight:700}
.wide{overflow-x:auto;margin:.8em 0}
table{border-collapse:collapse;font-size:.88em;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--quiet);padding-bottom:4px}
th,td{padding:3px 9px;border-bottom:1px solid var(--rule);text-align:right;white-space:nowrap}
th[scope=row]{font-weight:400}
th:first-child{text-align:left}
tr.ours th,tr.ours td{font-weight:700}
td.best{background:var(--best)}
td.text{text-align:left;white-space:normal}
svg{display:block;width:100%;height:auto;margin:.8em 0}
svg text{font-size:12px;fill:var(--ink)}
svg text.tick,svg text.axis{fill:var(--quiet)}
svg text.mid{text-anchor:middle}
svg text.end{text-anchor:end}
svg text.strong{font-weight:700}
.grid{stroke:var(--rule);fill:none}
.even{stroke:var(--quiet);fill:none}
.series{fill:none;stroke-width:1.6;stroke-linejoin:round}
.range{fill:none;stroke-width:2}
.p95{fill:var(--ground);stroke-width:2}
.p99{stroke-width:3;fill:none}
.dot{fill-opacity:.75}
.d-allot{stroke:var(--allot);--of:var(--allot)}
.d-fcfs{stroke:var(--fcfs);--of:var(--fcfs)}
.d-greedy{stroke:var(--greedy);--of:var(--greedy)}
.d-drf{stroke:var(--drf);--of:var(--drf)}
.d-easy{stroke:var(--easy);--of:var(--easy)}
.d-conservative{stroke:var(--conservative);--of:var(--conservative)}
.d-conservative-whole-node{stroke:var(--whole);--of:var(--whole)}
.mean,.dot{fill:var(--of);stroke:none}
.series.d-allot{stroke-width:3}
.series.d-fcfs{stroke-dasharray:2 3}
.series.d-greedy{stroke-dasharray:8 3}
.series.d-drf{stroke-dasharray:12 3 2 3}
.series.d-easy{stroke-dasharray:5 2}
.series.d-conservative{stroke-dasharray:14 4}
.series.d-conservative-whole-node{stroke-dasharray:3 2 8 2}
.cells path{fill:none;stroke-width:1}
.cells,.swatch{shape-rendering:crispEdges}
.half{opacity:.45}
)";

}  // namespace

std::string StyleSheet() {
  std::string out = std::string(":root{color-scheme:light dark;") + kLight + "}\n";
  out += std::string("@media (prefers-color-scheme:dark){:root{") + kDark + "}}\n";
  // Paper is white, whatever the screen.
  out += std::string("@media print{:root{color-scheme:light;") + kLight +
         "}body{max-width:none;padding:0}svg,td.best{print-color-adjust:exact;"
         "-webkit-print-color-adjust:exact}svg,tr{break-inside:avoid}h2{break-after:avoid}}\n";
  out += kRules;
  for (const char* name :
       {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "o0", "o1", "o2", "o3", "o4", "o5"}) {
    out += std::string(".") + name + "{stroke:var(--" + name + ");--of:var(--" + name + ")}\n";
  }
  return out + ".swatch{stroke:none;fill:var(--of)}\n";
}

}  // namespace allot::sim
