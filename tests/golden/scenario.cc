#include "golden/scenario.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "allot/model/decayed_usage.h"
#include "allot/scheduler/check_plan.h"
#include "allot/scheduler/explain.h"
#include "support/manual_clock.h"

namespace allot::testing {
namespace {

using scheduler::Placement;
using scheduler::Snapshot;

constexpr Instant kFirstDay = ManualClock::kStart;

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

std::optional<int> ParseNumber(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string TwoDigits(int64_t value) { return (value < 10 ? "0" : "") + std::to_string(value); }

// "04:00", "3d04:00".
std::string TellTime(Instant time) {
  const int64_t seconds = Between(kFirstDay, time).count;
  std::string text = seconds >= 86'400 ? std::to_string(seconds / 86'400) + "d" : "";
  text += TwoDigits(seconds / 3'600 % 24) + ":" + TwoDigits(seconds / 60 % 60);
  return seconds % 60 == 0 ? text : text + ":" + TwoDigits(seconds % 60);
}

std::optional<Instant> ParseTime(std::string text) {
  int64_t days = 0;
  if (const std::size_t d = text.find('d'); d != std::string::npos) {
    const auto parsed = ParseNumber(text.substr(0, d));
    if (!parsed) return std::nullopt;
    days = *parsed;
    text = text.substr(d + 1);
  }
  const std::vector<std::string> parts = Split(text, ':');
  if (parts.size() != 2) return std::nullopt;
  const auto hours = ParseNumber(parts[0]);
  const auto minutes = ParseNumber(parts[1]);
  if (!hours || !minutes) return std::nullopt;
  return kFirstDay + Days(days) + Hours(*hours) + Minutes(*minutes);
}

// Explanations name real dates; a story counts its days.
std::string TellTimesIn(std::string text) {
  for (std::size_t at = text.find("2026-"); at != std::string::npos; at = text.find("2026-", at)) {
    const auto time = ParseRfc3339(text.substr(at, 20));
    if (!time) return "error: a date that is none in: " + text;
    text.replace(at, 20, TellTime(*time));
  }
  return text;
}

std::string LocalName(const std::string& node_id) { return node_id.substr(node_id.find('/') + 1); }

}  // namespace

// A verb, what it is about, and the options after it.
struct Scenario::Line {
  std::string verb;
  std::vector<std::string> names;
  std::map<std::string, std::string> options;
  // The first option that cannot be read.
  mutable std::string unreadable;

  explicit Line(const std::string& text) {
    std::istringstream in(text);
    in >> verb;
    for (std::string word; in >> word;) {
      if (word[0] == '#') break;
      if (const std::size_t equals = word.find('='); equals != std::string::npos) {
        options[word.substr(0, equals)] = word.substr(equals + 1);
      } else {
        names.push_back(word);
      }
    }
  }
  std::string NameAt(std::size_t i) const { return i < names.size() ? names[i] : ""; }
  template <class Parse>
  auto Option(const std::string& name, Parse parse) const -> decltype(parse(name)) {
    const auto found = options.find(name);
    if (found == options.end()) return std::nullopt;
    auto value = parse(found->second);
    if (!value) unreadable = name + "=" + found->second;
    return value;
  }
  std::optional<int> Number(const std::string& name) const { return Option(name, ParseNumber); }
  std::optional<Instant> Time(const std::string& name) const { return Option(name, ParseTime); }
  std::optional<Seconds> Length(const std::string& name) const {
    return Option(name, [](const std::string& text) { return ParseDuration(text); });
  }
  std::string Text(const std::string& name, const std::string& otherwise) const {
    const auto found = options.find(name);
    return found == options.end() ? otherwise : found->second;
  }
};

Scenario::Scenario() { world_.now = kFirstDay; }

std::string Scenario::Rewrite(const std::string& text) {
  std::string rewritten;
  std::istringstream in(text);
  bool in_answer = false;
  bool answered = false;
  for (std::string row; std::getline(in, row);) {
    if (row == "----") in_answer = true;
    if (in_answer && !row.empty()) continue;
    // The empty line behind an answer comes with the answer.
    if (row.empty() && (std::exchange(in_answer, false) || std::exchange(answered, false)))
      continue;
    rewritten += row + "\n";
    const std::string words = row.substr(0, row.find('#'));
    if (words.find_first_not_of(' ') == std::string::npos) continue;
    const Line line(words);
    std::string answer = Carry(line);
    if (!line.unreadable.empty()) answer = "error: cannot read " + line.unreadable + "\n";
    answered = line.verb == "pass" || line.verb == "explain";
    rewritten += answered ? "----\n" + answer + "\n" : answer;
  }
  return rewritten;
}

std::string Scenario::Carry(const Line& line) {
  if (const auto at = line.Time("at")) {
    if (*at < world_.now) return "error: that is past\n";
    world_.now = *at;
  }
  if (line.verb == "cluster") return AddCluster(line);
  if (line.verb == "node") return SetNode(line);
  if (line.verb == "project") return AddProject(line);
  if (line.verb == "policy") return SetPolicy(line);
  if (line.verb == "submit") return Submit(line);
  if (line.verb == "running") return AddRunning(line);
  if (line.verb == "release") return Release(line);
  if (line.verb == "cancel") return Cancel(line);
  if (line.verb == "reserve") return Reserve(line);
  if (line.verb == "unreserve") return Unreserve(line);
  if (line.verb == "pass") return Pass();
  if (line.verb == "explain") return Explain(line);
  return "error: no verb '" + line.verb + "'\n";
}

// ---- The world
// ---------------------------------------------------------------------------------------

std::string Scenario::AddCluster(const Line& line) {
  const auto model = ParseGpuModel(line.NameAt(1));
  const std::string range = line.NameAt(2);
  const std::size_t dots = range.find("..");
  const auto digits = range.find_first_of("0123456789");
  if (!model || dots == std::string::npos || digits > dots) return "error: cluster\n";
  const auto first = ParseNumber(range.substr(digits, dots - digits));
  const auto last = ParseNumber(range.substr(dots + 2 + digits));
  if (!first || !last) return "error: nodes " + range + "\n";

  scheduler::SnapshotCluster cluster{ClusterId(line.NameAt(0)), *model, {}};
  for (const std::string& programme : Split(line.Text("programmes", "call"), ',')) {
    cluster.programmes.emplace_back(programme);
  }
  cluster.join_time = line.Time("joins");
  cluster.leave_time = line.Time("leaves");
  const auto nodes_per_leaf = line.Number("nodes-per-leaf");
  for (int i = *first; i <= *last; ++i) {
    scheduler::SnapshotNode node;
    node.id = NodeId(line.NameAt(0) + "/" + range.substr(0, digits) + TwoDigits(i));
    node.cluster = static_cast<int>(world_.clusters.size());
    if (nodes_per_leaf) node.leaf = "leaf-" + TwoDigits((i - *first) / *nodes_per_leaf);
    world_.nodes.push_back(std::move(node));
  }
  world_.clusters.push_back(std::move(cluster));
  return "";
}

int Scenario::FindNode(const std::string& name) const {
  const auto found = std::find_if(world_.nodes.begin(), world_.nodes.end(), [&](const auto& node) {
    return LocalName(node.id.str()) == name;
  });
  return found == world_.nodes.end() ? -1 : static_cast<int>(found - world_.nodes.begin());
}

std::string Scenario::SetNode(const Line& line) {
  const int position = FindNode(line.NameAt(0));
  if (position < 0) return "error: no node " + line.NameAt(0) + "\n";
  scheduler::SnapshotNode& node = world_.nodes[static_cast<std::size_t>(position)];
  node.draining = line.NameAt(1) == "draining";
  const auto health = ParseNodeHealth(node.draining ? "ready" : line.NameAt(1));
  if (!health) return "error: no health " + line.NameAt(1) + "\n";
  node.health = *health;
  node.schedulable = node.health == NodeHealth::kReady && !node.draining;
  return "";
}

scheduler::SnapshotProject* Scenario::FindProject(const std::string& name) {
  const auto found = std::find_if(world_.projects.begin(), world_.projects.end(),
                                  [&](const auto& project) { return project.id.str() == name; });
  return found == world_.projects.end() ? nullptr : &*found;
}

std::string Scenario::AddProject(const Line& line) {
  scheduler::SnapshotProject* project = FindProject(line.NameAt(0));
  if (project == nullptr) {
    project = &world_.projects.emplace_back();
    project->id = ProjectId(line.NameAt(0));
    project->merit = 500;
    project->concurrent_gpus.fill(1'000);
    project->usage.as_of = kFirstDay;
  }
  project->programme = ProgrammeId(line.Text("programme", "call"));
  project->merit = line.Number("merit").value_or(project->merit);
  if (const auto quota = line.Number("quota")) project->concurrent_gpus.fill(*quota);
  for (const auto& [name, model] :
       {std::pair("h200", GpuModel::kH200), {"b200", GpuModel::kB200}}) {
    int& gpus = project->concurrent_gpus[static_cast<std::size_t>(model)];
    gpus = line.Number(name).value_or(gpus);
  }
  if (const auto hours = line.Number("gpu-hours")) {
    project->gpu_time_left = GpuSeconds::FromCount(int64_t{*hours} * 3600);
  }
  project->open = line.NameAt(1) != "closed";
  return "";
}

std::string Scenario::SetPolicy(const Line& line) {
  policy_.starvation_bound = line.Length("starvation").value_or(policy_.starvation_bound);
  policy_.usage_half_life = line.Length("half-life").value_or(policy_.usage_half_life);
  policy_.planning_horizon = line.Length("horizon").value_or(policy_.planning_horizon);
  policy_.gathering_time = line.Length("gathering").value_or(policy_.gathering_time);
  policy_.release_time = line.Length("release").value_or(policy_.release_time);
  policy_.preemption_gain = line.Length("preemption-gain").value_or(policy_.preemption_gain);
  policy_.promise_nodes = line.Number("promise-nodes").value_or(policy_.promise_nodes);
  policy_.promise_within = line.Length("promise-within").value_or(policy_.promise_within);
  return "";
}

// ---- Requests and what holds GPUs
// ----------------------------------------------------------------------

std::string Scenario::Submit(const Line& line) {
  const scheduler::SnapshotProject* project = FindProject(line.NameAt(1));
  const auto duration = line.Length("for");
  if (project == nullptr || !duration) return "error: submit\n";
  scheduler::SnapshotPending pending;
  pending.id = AllocationId(line.NameAt(0));
  pending.project = static_cast<int>(project - world_.projects.data());
  pending.create_time = world_.now - line.Length("waiting").value_or(Seconds{0});
  Request& request = pending.request;
  request.duration = *duration;
  if (const auto gpus = line.Number("gpus")) {
    request.shape = ShapeForGpus(*gpus);
  } else {
    request.shape = {line.Number("nodes").value_or(1), line.Number("per-node").value_or(8), 0};
  }
  for (const std::string& name : Split(line.Text("models", "H200"), ',')) {
    const auto model = ParseGpuModel(name);
    if (!model) return "error: no model " + name + "\n";
    request.models.push_back(*model);
  }
  if (const auto gpus = line.Number("or-gpus")) {
    request.exchanged = ExchangedShape{request.models.back(), ShapeForGpus(*gpus)};
  }
  request.earliest_start = line.Time("earliest");
  request.deadline = line.Time("deadline");
  request.same_leaf_wait = line.Length("same-leaf-wait").value_or(Seconds{0});
  request.borrow = line.NameAt(2) == "borrow";
  request.preemptible = request.borrow || line.NameAt(2) == "preemptible";
  pending.consolidate = line.NameAt(2) == "consolidate";
  if (const std::string base = line.Text("adds-to", ""); !base.empty()) {
    pending.grows = AllocationId(base);
  }
  if (const std::string after = line.Text("after", ""); !after.empty()) {
    pending.after = AllocationId(after);
  }
  world_.pending.push_back(std::move(pending));
  return "";
}

// "n01" is all of a node, "n01:0-3" its first four GPUs.
std::string Scenario::AddRunning(const Line& line) {
  const scheduler::SnapshotProject* project = FindProject(line.NameAt(1));
  const auto until = line.Time("until");
  if (project == nullptr || !until) return "error: running\n";
  const Instant since = world_.now - line.Length("since").value_or(Seconds{0});
  int all = 0;
  for (const std::string& part : Split(line.NameAt(2), ',')) {
    const std::size_t colon = part.find(':');
    const int node = FindNode(part.substr(0, colon));
    if (node < 0) return "error: no node " + part + "\n";
    unsigned gpus = 0xff;
    if (colon != std::string::npos) {
      if (part.size() != colon + 4) return "error: GPUs of " + part + "\n";
      gpus = 0;
      for (char gpu = part[colon + 1]; gpu <= part[colon + 3]; ++gpu) gpus |= 1U << (gpu - '0');
    }
    world_.claims.push_back({AllocationId(line.NameAt(0)),
                             static_cast<int>(project - world_.projects.data()), node,
                             static_cast<GpuMask>(gpus), since, *until});
    all += CountGpus(static_cast<GpuMask>(gpus));
  }
  if (line.NameAt(3) != "preemptible") return "";
  scheduler::SnapshotPreemptible row;
  row.id = AllocationId(line.NameAt(0));
  row.project = static_cast<int>(project - world_.projects.data());
  row.request.shape = ShapeForGpus(all);
  row.request.models = {GpuModel::kH200};
  row.request.duration = Between(since, *until);
  row.request.preemptible = true;
  row.create_time = since;
  row.start = since;
  row.until = *until;
  world_.preemptible.push_back(std::move(row));
  return "";
}

std::string Scenario::Release(const Line& line) {
  const auto is_it = [&](const scheduler::SnapshotClaim& claim) {
    return claim.allocation.str() == line.NameAt(0);
  };
  const auto held = std::count_if(world_.claims.begin(), world_.claims.end(), is_it);
  if (held == 0) return "error: " + line.NameAt(0) + " holds nothing\n";
  for (const scheduler::SnapshotClaim& claim : world_.claims) {
    if (!is_it(claim)) continue;
    DecayedUsage& usage = world_.projects[static_cast<std::size_t>(claim.project)].usage;
    if (const auto window = TimeWindow::Make(claim.start, world_.now)) {
      usage = AddHeld(usage, CountGpus(claim.gpus), *window, policy_.usage_half_life);
    }
  }
  std::erase_if(world_.claims, is_it);
  std::erase_if(world_.preemptible,
                [&](const auto& running) { return running.id.str() == line.NameAt(0); });
  stopped_.erase(AllocationId(line.NameAt(0)));
  return "";
}

std::string Scenario::Cancel(const Line& line) {
  const auto erased = std::erase_if(world_.pending, [&](const scheduler::SnapshotPending& pending) {
    return pending.id.str() == line.NameAt(0);
  });
  return erased == 1 ? "" : "error: " + line.NameAt(0) + " does not wait\n";
}

std::string Scenario::Reserve(const Line& line) {
  const auto from = line.Time("from");
  const auto until = line.Time("until");
  if (!from || !until || *until <= *from) return "error: reserve\n";
  scheduler::SnapshotReservation reservation{.id = ReservationId(line.NameAt(0))};
  for (const std::string& name : Split(line.NameAt(1), ',')) {
    const int node = FindNode(name);
    if (node < 0) return "error: no node " + name + "\n";
    reservation.nodes.push_back(node);
  }
  if (const std::string name = line.Text("project", ""); !name.empty()) {
    const scheduler::SnapshotProject* project = FindProject(name);
    if (project == nullptr) return "error: no project " + name + "\n";
    reservation.project = static_cast<int>(project - world_.projects.data());
  }
  const Seconds every = line.Length("every").value_or(Seconds{0});
  for (int i = 0; i < line.Number("times").value_or(1); ++i) {
    const Seconds after{every.count * i};
    reservation.windows.push_back(*TimeWindow::Make(*from + after, *until + after));
  }
  world_.reservations.push_back(std::move(reservation));
  return "";
}

std::string Scenario::Unreserve(const Line& line) {
  const auto erased = std::erase_if(world_.reservations, [&](const auto& reservation) {
    return reservation.id.str() == line.NameAt(0);
  });
  return erased == 1 ? "" : "error: no reservation " + line.NameAt(0) + "\n";
}

// ---- Passes
// --------------------------------------------------------------------------------------------

std::string Scenario::Pass() {
  std::erase_if(world_.reservations, [&](auto& reservation) {
    std::erase_if(reservation.windows,
                  [&](const TimeWindow& window) { return window.end() <= world_.now; });
    return reservation.windows.empty();
  });
  Follow();
  planned_ = world_;
  Canonicalise(planned_);
  plan_ = scheduler::Schedule(planned_, policy_);

  std::string answer;
  for (const std::string& violation : scheduler::CheckPlan(planned_, policy_, plan_)) {
    answer += "error: " + violation + "\n";
  }
  for (const int pending : plan_.order) {
    const std::string& id = planned_.pending[static_cast<std::size_t>(pending)].id.str();
    for (const Placement& placement : plan_.placements) {
      if (placement.pending == pending) answer += id + " " + Tell(placement) + "\n";
    }
    for (const scheduler::Deferral& deferral : plan_.deferrals) {
      if (deferral.pending != pending) continue;
      answer += id + " deferred " + std::string(Name(deferral.reason)) + ": " +
                TellTimesIn(deferral.message) + "\n";
    }
    for (const scheduler::Slip& slip : plan_.slips) {
      if (slip.pending != pending) continue;
      answer += id + " was promised " + TellTime(slip.promised) + ", lost to " +
                std::string(Name(slip.cause)) + "\n";
    }
  }
  for (const scheduler::Preemption& preemption : plan_.preemptions) {
    answer += planned_.preemptible[static_cast<std::size_t>(preemption.preemptible)].id.str() +
              " is stopped " + TellTime(preemption.stop) + " for " +
              planned_.pending[static_cast<std::size_t>(preemption.pending)].id.str() +
              ", goes on " + TellTime(preemption.restart) + "\n";
  }
  Promise(plan_);
  Start(plan_);
  Stop(plan_);
  return answer;
}

// What was started after, and neither waits nor holds GPUs, has ended.
void Scenario::Follow() {
  for (scheduler::SnapshotPending& row : world_.pending) {
    if (!row.after) continue;
    const auto is_it = [&](const auto& claim) { return claim.allocation == *row.after; };
    if (Waiting(*row.after) != world_.pending.end() || stopped_.contains(*row.after) ||
        std::any_of(world_.claims.begin(), world_.claims.end(), is_it)) {
      continue;
    }
    row.after.reset();
    Request& request = row.request;
    request.earliest_start = std::max(request.earliest_start.value_or(world_.now), world_.now);
  }
}

std::string Scenario::Tell(const Placement& placement) const {
  std::string text = placement.window.start() <= planned_.now ? "starts on "
                     : placement.promised                     ? "promised on "
                                                              : "planned on ";
  text += planned_.clusters[static_cast<std::size_t>(placement.cluster)].id.str();
  for (std::size_t i = 0; i < placement.nodes.size(); ++i) {
    text += (i == 0 ? " " : ",") + TellNode(placement.nodes[i]);
  }
  if (placement.reservation) {
    text +=
        " in " + planned_.reservations[static_cast<std::size_t>(*placement.reservation)].id.str();
  }
  return text + " [" + TellTime(placement.window.start()) + "," + TellTime(placement.window.end()) +
         ")";
}

std::string Scenario::TellNode(const scheduler::PlacedNode& placed) const {
  std::string text = LocalName(planned_.nodes[static_cast<std::size_t>(placed.node)].id.str());
  if (placed.gpus == 0xff) return text;
  text += ":";
  for (int gpu = 0; gpu < kGpusPerNode; ++gpu) {
    if ((placed.gpus >> gpu & 1) != 0) text += std::to_string(gpu);
  }
  return text;
}

std::vector<scheduler::SnapshotPending>::iterator Scenario::Waiting(const AllocationId& id) {
  return std::find_if(world_.pending.begin(), world_.pending.end(),
                      [&](const auto& pending) { return pending.id == id; });
}

// What is promised stays booked until the next pass; what is not promised any more is not.
void Scenario::Promise(const scheduler::Plan& plan) {
  for (auto& pending : world_.pending) pending.promise.reset();
  for (const Placement& placement : plan.placements) {
    if (!placement.promised) continue;
    const auto& promised = planned_.pending[static_cast<std::size_t>(placement.pending)];
    if (stopped_.contains(promised.id)) continue;
    scheduler::SnapshotPromise promise{placement.window, {}};
    for (const scheduler::PlacedNode& placed : placement.nodes) {
      const auto& id = planned_.nodes[static_cast<std::size_t>(placed.node)].id;
      promise.nodes.push_back({FindNode(LocalName(id.str())), placed.gpus});
    }
    Waiting(promised.id)->promise = std::move(promise);
  }
}

// What starts now stops waiting and holds its GPUs, as when the plan is applied.
void Scenario::Start(const scheduler::Plan& plan) {
  for (const Placement& placement : plan.placements) {
    if (placement.window.start() > planned_.now) continue;
    const auto& started = planned_.pending[static_cast<std::size_t>(placement.pending)];
    if (stopped_.contains(started.id)) continue;
    const auto waiting = Waiting(started.id);
    for (const scheduler::PlacedNode& placed : placement.nodes) {
      const auto& id = planned_.nodes[static_cast<std::size_t>(placed.node)].id;
      world_.claims.push_back({started.id, waiting->project, FindNode(LocalName(id.str())),
                               placed.gpus, placement.window.start(), placement.window.end()});
      world_.claims.back().borrowed = waiting->request.borrow;
    }
    if (waiting->request.preemptible) {
      world_.preemptible.push_back({.id = waiting->id,
                                    .project = waiting->project,
                                    .request = waiting->request,
                                    .create_time = waiting->create_time,
                                    .start = placement.window.start(),
                                    .until = placement.window.end(),
                                    .preemptions = stops_[waiting->id]});
    }
    world_.pending.erase(waiting);
  }
}

// What is stopped holds its GPUs until then, and starts for the rest when it was released.
void Scenario::Stop(const scheduler::Plan& plan) {
  for (const scheduler::Preemption& preemption : plan.preemptions) {
    const auto& row = planned_.preemptible[static_cast<std::size_t>(preemption.preemptible)];
    for (scheduler::SnapshotClaim& claim : world_.claims) {
      if (claim.allocation == row.id) claim.until = preemption.stop;
    }
    scheduler::SnapshotPending rest;
    rest.id = row.id;
    rest.project = row.project;
    rest.request = row.request;
    rest.request.duration = Between(preemption.stop, row.until);
    rest.request.earliest_start = preemption.stop;
    rest.create_time = row.create_time;
    const auto whom = static_cast<std::size_t>(preemption.pending);
    rest.requeued = planned_.pending[whom].consolidate && !row.request.borrow;
    ++stops_[row.id];
    world_.pending.push_back(std::move(rest));
    stopped_.insert(row.id);
    std::erase_if(world_.preemptible, [&](const auto& running) { return running.id == row.id; });
  }
}

std::string Scenario::Explain(const Line& line) {
  for (int i = 0; i < static_cast<int>(planned_.pending.size()); ++i) {
    if (planned_.pending[static_cast<std::size_t>(i)].id.str() != line.NameAt(0)) continue;
    const scheduler::Explanation explanation = scheduler::Explain(planned_, policy_, plan_, i);
    return explanation.reason + ": " + TellTimesIn(explanation.message) + "\n";
  }
  return "error: " + line.NameAt(0) + " did not wait at the last pass\n";
}

}  // namespace allot::testing
