// The summary as a page for people: every line in Korean and English, so that it can be shown as it
// is.

#include <sstream>
#include <string>

#include "allot/base/text.h"
#include "cli/summary.h"
#include "cli/table.h"
#include "cli/text.h"

namespace allot::cli {
namespace {

/// "2026-03-01 09:00 KST". Korea has no summer time.
std::string InKorea(Instant time) {
  std::string text = FormatRfc3339(Instant::FromSeconds((time + Hours(9)).seconds()));
  text[10] = ' ';
  return text.substr(0, 16) + " KST";
}

std::string Percent(int64_t part, int64_t whole) {
  const int64_t permille = whole == 0 ? 0 : (part * 1'000 + whole / 2) / whole;
  return std::to_string(permille / 10) + "." + std::to_string(permille % 10) + "%";
}

std::vector<Cell> RowOf(const std::string& name, const PoolShare& share) {
  return {name,
          share.model,
          FormatCount(share.clusters),
          FormatCount(share.nodes),
          FormatCount(share.gpus_online),
          FormatCount(share.gpus_in_use),
          Percent(share.gpus_in_use, share.gpus_online)};
}

void WritePool(const Summary& summary, bool colours, std::ostream& out) {
  Table table({{"제공기관 Provider"},
               {"GPU"},
               {"클러스터 Clusters", Align::kRight},
               {"노드 Nodes", Align::kRight},
               {"가동 Online", Align::kRight},
               {"사용 In use", Align::kRight},
               {"사용률 Use", Align::kRight}});
  for (const PoolShare& share : summary.shares) {
    table.Add(RowOf(share.provider_display_name, share));
  }
  PoolShare total = summary.total;
  total.model = "";
  table.Add(RowOf("합계 Total", total));
  table.Print(out, /*wide=*/false, colours);
}

void WriteNextStarts(const Summary& summary, bool colours, std::ostream& out) {
  out << "다음 배정 예정 · Next planned starts\n";
  if (summary.next_starts.empty()) {
    out << "없음 · none\n";
    return;
  }
  Table table({{"시작 Start"},
               {"GPU", Align::kRight},
               {"클러스터 Cluster"},
               {"과제 Project"},
               {"이름 Name"}});
  for (const NextStart& start : summary.next_starts) {
    table.Add({InKorea(start.start), FormatCount(start.gpus), start.cluster,
               start.project_display_name, start.allocation});
  }
  table.Print(out, /*wide=*/false, colours);
}

void WriteWaiting(const Waiting& waiting, std::ostream& out) {
  const std::string gpus = FormatCount(waiting.gpus);
  const std::string rank = FormatCount(waiting.rank);
  const std::string of = FormatCount(waiting.rank_of);
  out << "왜 기다리나요? · Why is this waiting?\n"
      << "과제 Project: " << Harmless(waiting.project_display_name) << " ("
      << Harmless(waiting.allocation) << ")\n"
      << "GPU " << gpus << "장을 요청했고, 같은 사업의 대기 " << of << "건 중 " << rank
      << "번째입니다. ";
  if (waiting.planned_start) {
    out << InKorea(*waiting.planned_start) << "에 시작할 예정입니다.\n";
  } else {
    out << "아직 시작 시각을 정할 수 없습니다.\n";
  }
  out << "It asks for " << gpus << " GPUs and is number " << rank << " of " << of
      << " waiting in its programme; ";
  if (waiting.planned_start) {
    out << "planned to start at " << InKorea(*waiting.planned_start) << ".\n";
  } else {
    out << "no start can be given yet.\n";
  }
  out << "이유 Reason: " << Harmless(waiting.reason) << ": " << Harmless(waiting.message) << "\n";
}

}  // namespace

std::string PageOf(const Summary& summary, bool colours) {
  std::ostringstream out;
  out << "국가 GPU 자원 현황 · The national GPU pool, " << InKorea(summary.time) << "\n\n"
      << "배정된 과제   Projects served    " << FormatCount(summary.projects_served) << "\n"
      << "대기 중 과제  Projects waiting   " << FormatCount(summary.projects_waiting) << "\n"
      << "사용 중 GPU   GPUs in use        " << FormatCount(summary.total.gpus_in_use) << " / "
      << FormatCount(summary.total.gpus_online) << "\n"
      << "사용률        Utilisation        "
      << Percent(summary.total.gpus_in_use, summary.total.gpus_online) << "\n\n";
  WritePool(summary, colours, out);
  out << "\n";
  WriteNextStarts(summary, colours, out);
  if (summary.waiting) {
    out << "\n";
    WriteWaiting(*summary.waiting, out);
  }
  return out.str();
}

}  // namespace allot::cli
