#include "cli/apply_report.h"

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "allot/base/text.h"
#include "cli/resource_name.h"
#include "cli/table.h"
#include "cli/text.h"

namespace allot::cli {
namespace {

constexpr std::array<std::string_view, 5> kOutcomes = {"created", "configured", "unchanged",
                                                       "failed", "skipped"};

std::string SmallKind(const ApplyStep& step) {
  std::string kind(KindOf(step.document->resource));
  kind[0] = static_cast<char>(kind[0] - 'A' + 'a');
  return kind;
}

}  // namespace

std::string_view OutcomeWord(const ApplyStep& step) {
  if (step.done == Done::kSkipped) return "skipped";
  if (step.done == Done::kFailed || step.change == Change::kRefused) return "failed";
  switch (step.change) {
    case Change::kCreate:
      return "created";
    case Change::kConfigure:
      return "configured";
    case Change::kUnchanged:
    case Change::kRefused:
      break;
  }
  return "unchanged";
}

std::string DiffText(const std::vector<ApplyStep>& steps, bool colours) {
  std::string text;
  for (const ApplyStep& step : steps) {
    if (step.change == Change::kUnchanged) continue;
    const char mark = step.failure ? '!' : step.change == Change::kCreate ? '+' : '~';
    const Paint paint = mark == '+' ? Paint::kGood : mark == '!' ? Paint::kBad : Paint::kWaiting;
    text +=
        Painted(mark + (" " + SmallKind(step)) + " " + ShortName(NameOf(step.document->resource)),
                paint, colours) +
        "\n";
    for (const Difference& d : step.differences) {
      if (d.before) {
        text += Painted("-   " + d.field + ": " + Harmless(*d.before), Paint::kBad, colours) + "\n";
      }
      text += Painted("+   " + d.field + ": " + Harmless(d.after), Paint::kGood, colours) + "\n";
    }
    if (step.failure) text += "!   " + Harmless(step.failure->message) + "\n";
  }
  return text;
}

std::string SummaryText(const std::vector<ApplyStep>& steps, bool dry_run, const Output& output) {
  std::ostringstream text;
  if (output.wide()) {
    Table objects({{"KIND"}, {"NAME"}, {"OUTCOME"}});
    for (const ApplyStep& step : steps) {
      objects.Add({std::string(KindOf(step.document->resource)),
                   ShortName(NameOf(step.document->resource)),
                   {std::string(OutcomeWord(step)), PaintOf(OutcomeWord(step))}});
    }
    objects.Print(text, /*wide=*/true, output.colours());
    text << "\n";
  }
  std::vector<Column> columns = {{dry_run ? "DRY RUN" : "APPLIED"}};
  for (const std::string_view outcome : kOutcomes) {
    std::string title(outcome);
    for (char& c : title) c = static_cast<char>(c - 'a' + 'A');
    columns.push_back({title, Align::kRight});
  }
  Table table(std::move(columns));
  // By kind in the order of dependence, which is the order of the steps.
  std::map<std::size_t, std::map<std::string_view, int64_t>> counts;
  for (const ApplyStep& step : steps) {
    ++counts[step.document->resource.index()][OutcomeWord(step)];
  }
  for (auto& [kind, by_outcome] : counts) {
    std::vector<Cell> row;
    for (const ApplyStep& step : steps) {
      if (step.document->resource.index() != kind) continue;
      row.emplace_back(std::string(KindOf(step.document->resource)));
      break;
    }
    for (const std::string_view outcome : kOutcomes) {
      row.emplace_back(FormatCount(by_outcome[outcome]));
    }
    table.Add(std::move(row));
  }
  table.Print(text, /*wide=*/true, output.colours());
  return text.str();
}

std::string SummaryJson(const std::vector<ApplyStep>& steps, bool dry_run) {
  using Json = nlohmann::ordered_json;
  Json objects = Json::array();
  Json summary;
  for (const std::string_view outcome : kOutcomes) summary[std::string(outcome)] = 0;
  for (const ApplyStep& step : steps) {
    const std::string outcome(OutcomeWord(step));
    summary[outcome] = summary[outcome].get<int>() + 1;
    Json object;
    object["kind"] = std::string(KindOf(step.document->resource));
    object["name"] = NameOf(step.document->resource);
    object["outcome"] = outcome;
    if (!step.differences.empty()) {
      Json differences = Json::array();
      for (const Difference& d : step.differences) {
        differences.push_back({{"field", d.field},
                               {"before", d.before ? Json(*d.before) : Json()},
                               {"after", d.after}});
      }
      object["differences"] = std::move(differences);
    }
    if (step.failure) object["error"] = Json::parse(DescribeAsJson(*step.failure))["error"];
    objects.push_back(std::move(object));
  }
  const Json all = {{"dryRun", dry_run}, {"objects", std::move(objects)}, {"summary", summary}};
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace allot::cli
