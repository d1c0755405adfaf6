// Real servers, agents and PostgreSQL under faults, clients that write down what they were
// answered, and a checker that compares that with what is there in the end. Prints one JSON line;
// progress goes to stderr. docs/robustness.md says what came of it.

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "campaign/check.h"
#include "campaign/clients.h"
#include "campaign/database.h"
#include "campaign/faults.h"
#include "campaign/history.h"
#include "campaign/installation.h"
#include "support/rpc/served_allotd.h"
#include "support/temp_dir.h"

namespace allot::campaign {
namespace {

struct Settings {
  int faults = 10;
  uint64_t seed = 1;
  std::vector<std::string> kinds;
  int clients = 4;
  int pause_ms = 200;
  std::string patroni_dir;
  std::string patroni_script = "deploy/ha/local";
  std::string history;
};

/// Beyond this the service counts as not having come back.
constexpr int64_t kServePatienceMs = 180'000;
constexpr int64_t kBetweenMs = 300;

/// What was measured of one kind of fault.
struct Record {
  int made = 0;
  int never_served = 0;
  std::vector<double> serve_ms;
  std::vector<double> lead_ms;
};

nlohmann::ordered_json Quantiles(const std::vector<double>& values) {
  if (values.empty()) return nullptr;
  return {{"p50", testing::Quantile(values, 500)},
          {"p99", testing::Quantile(values, 990)},
          {"max", testing::Quantile(values, 1000)}};
}

/// In the order drawn from the seed, each kind as often as it weighs; the first so many are each
/// another kind, so that a short campaign sees many.
class Order {
 public:
  Order(std::vector<FaultKind> kinds, std::mt19937_64& random)
      : kinds_(std::move(kinds)), random_(random) {
    std::shuffle(kinds_.begin(), kinds_.end(), random_);
  }
  const FaultKind& Next() {
    if (taken_ < kinds_.size()) return kinds_[taken_++];
    int total = 0;
    for (const FaultKind& kind : kinds_) total += kind.weight;
    auto drawn = static_cast<int>(random_() % static_cast<uint64_t>(total));
    for (const FaultKind& kind : kinds_) {
      drawn -= kind.weight;
      if (drawn < 0) return kind;
    }
    return kinds_.back();
  }

 private:
  std::vector<FaultKind> kinds_;
  std::size_t taken_ = 0;
  std::mt19937_64& random_;
};

class Campaign {
 public:
  Campaign(const Settings& settings, const std::string& bin_dir, Database& database,
           PatroniDatabase* patroni)
      : settings_(settings),
        database_(database),
        random_(settings.seed),
        installation_(bin_dir, database),
        order_(Chosen(FaultKinds(installation_, database, patroni, random_)), random_) {}

  int Run() {
    const std::string path = settings_.history.empty() ? dir_ / "history" : settings_.history;
    const int64_t started_ms = SteadyMs();
    int64_t calls = 0;
    Watcher watcher(installation_.access(), 1);
    {
      History history(path);
      Clients clients(installation_.access(), history, settings_.clients, settings_.seed,
                      settings_.pause_ms);
      for (int fault = 0; fault < settings_.faults; ++fault) Strike(fault, clients);
      Mend(clients);
      calls = clients.calls();
    }
    const int64_t newest = AwaitNewestRevision();
    if (!watcher.AwaitRevision(newest, kServePatienceMs))
      std::fprintf(stderr, "the watch does not come to revision %lld\n",
                   static_cast<long long>(newest));
    const Findings findings = Check(History::Read(path), watcher.seen(), newest, database_.url());
    const testing::Ended audit = installation_.Allot({"audit", "verify"});
    Print(findings, watcher, newest, audit, calls, SteadyMs() - started_ms);
    const bool all_served = std::ranges::all_of(
        records_, [](const auto& record) { return record.second.never_served == 0; });
    return findings.clean() && audit.exit_code == 0 && watcher.repeated() == 0 && all_served ? 0
                                                                                             : 1;
  }

 private:
  std::vector<FaultKind> Chosen(std::vector<FaultKind> all) const {
    if (settings_.kinds.empty()) return all;
    std::vector<FaultKind> chosen;
    for (const std::string& name : settings_.kinds) {
      const auto found = std::ranges::find(all, name, &FaultKind::name);
      if (found == all.end()) throw std::runtime_error("this machine cannot make a fault " + name);
      chosen.push_back(*found);
    }
    return chosen;
  }

  void Strike(int number, const Clients& clients) {
    const FaultKind& kind = order_.Next();
    std::optional<Struck> struck = kind.strike();
    // Nobody leads just now, or nobody is at work: the fault before is not over yet.
    for (int turn = 0; turn < 300 && !struck; ++turn) {
      Settle();
      struck = kind.strike();
    }
    if (!struck) throw std::runtime_error(kind.name + ": nobody to do it to");
    const int64_t served_ms = AwaitServed(clients, struck->since_ms);
    Record& record = records_[kind.name];
    ++record.made;
    if (served_ms < 0) ++record.never_served;
    if (served_ms >= 0)
      record.serve_ms.push_back(static_cast<double>(served_ms - struck->since_ms));
    if (struck->lead_ms)
      record.lead_ms.push_back(static_cast<double>(*struck->lead_ms - struck->since_ms));
    std::fprintf(stderr, "%d/%d %s: served again after %lld ms\n", number + 1, settings_.faults,
                 kind.name.c_str(),
                 static_cast<long long>(served_ms < 0 ? -1 : served_ms - struck->since_ms));
    Settle();
  }

  /// Whoever died by what was done to another is started again meanwhile.
  int64_t AwaitServed(const Clients& clients, int64_t since_ms) {
    const int64_t end_ms = SteadyMs() + kServePatienceMs;
    while (SteadyMs() < end_ms) {
      const int64_t served_ms = clients.AwaitAllServed(since_ms, kBetweenMs);
      if (served_ms >= 0) return served_ms;
      database_.Mend();
      installation_.Mend();
    }
    return -1;
  }

  void Settle() {
    std::this_thread::sleep_for(std::chrono::milliseconds(kBetweenMs));
    database_.Mend();
    installation_.Mend();
  }

  void Mend(const Clients& clients) {
    Settle();
    AwaitServed(clients, SteadyMs());
  }

  /// Nothing moves any more once the clients have ended and the rest was decided.
  int64_t AwaitNewestRevision() {
    const int64_t end_ms = SteadyMs() + kServePatienceMs;
    int64_t newest = -1;
    while (SteadyMs() < end_ms) {
      Settle();
      const int64_t now = NewestRevision(database_.url());
      if (now == std::exchange(newest, now)) break;
    }
    return newest;
  }

  void Print(const Findings& findings, const Watcher& watcher, int64_t watched_through,
             const testing::Ended& audit, int64_t calls, int64_t took_ms) const {
    nlohmann::ordered_json by_kind;
    std::vector<double> serve_ms;
    std::vector<double> lead_ms;
    int made = 0;
    int never_served = 0;
    for (const auto& [name, record] : records_) {
      by_kind[name] = {{"made", record.made}, {"serve_again_ms", Quantiles(record.serve_ms)}};
      if (!record.lead_ms.empty()) by_kind[name]["lead_again_ms"] = Quantiles(record.lead_ms);
      serve_ms.insert(serve_ms.end(), record.serve_ms.begin(), record.serve_ms.end());
      lead_ms.insert(lead_ms.end(), record.lead_ms.begin(), record.lead_ms.end());
      made += record.made;
      never_served += record.never_served;
    }
    for (const std::string& example : findings.examples)
      std::fprintf(stderr, "FOUND %s\n", example.c_str());
    if (audit.exit_code != 0)
      std::fprintf(stderr, "FOUND audit: %s%s\n", audit.out.c_str(), audit.err.c_str());
    const nlohmann::ordered_json line{
        {"campaign", settings_.patroni_dir.empty() ? "one_postgres" : "patroni"},
        {"seed", settings_.seed},
        {"faults", made},
        {"calls", calls},
        {"acknowledged", findings.acknowledged},
        {"ended", findings.ended},
        {"unknown", findings.unknown},
        {"refused", findings.refused},
        {"lost", findings.lost},
        {"twice", findings.twice},
        {"double_bookings", findings.double_bookings},
        {"stray_orders", findings.stray_orders},
        {"revision_gaps", findings.revision_gaps},
        {"invariants", findings.invariants},
        {"watched", watcher.seen().size()},
        {"watched_through", watched_through},
        {"watch_missed", findings.watch_missed},
        {"watch_invented", findings.watch_invented},
        {"watch_repeated", watcher.repeated()},
        {"watch_resumed", watcher.resumed()},
        {"audit_verified", audit.exit_code == 0},
        {"never_served_again", never_served},
        {"serve_again_ms", Quantiles(serve_ms)},
        {"lead_again_ms", Quantiles(lead_ms)},
        {"seconds", took_ms / 1000},
        {"by_kind", by_kind}};
    std::printf("%s\n", line.dump().c_str());
  }

  const Settings settings_;
  Database& database_;
  testing::TempDir dir_;
  std::mt19937_64 random_;
  Installation installation_;
  Order order_;
  std::map<std::string, Record> records_;
};

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app(
      "Breaks real servers, agents and PostgreSQL while clients are at work, and checks that "
      "nothing "
      "acknowledged is lost, done twice or booked twice.",
      "campaign");
  app.add_option("--faults", settings.faults, "How many")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  app.add_option("--seed", settings.seed, "Which, on whom and for how long is drawn from it")
      ->capture_default_str();
  app.add_option("--kinds", settings.kinds, "Only these, with commas between")->delimiter(',');
  app.add_option("--clients", settings.clients, "Clients at work")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  app.add_option("--pause-ms", settings.pause_ms, "Of a client between two submissions, on average")
      ->capture_default_str()
      ->check(CLI::Range(1, 60'000));
  app.add_option(
      "--patroni", settings.patroni_dir,
      "On the three machines that `deploy/ha/local up DIR` brought up; run within its `exec`");
  app.add_option("--history", settings.history, "Where what clients saw is written, and kept");
  CLI11_PARSE(app, argc, argv);

  const std::string bin_dir = testing::BinDir(argv[0]);
  if (settings.patroni_dir.empty()) {
    const testing::TempDir dir;
    PrivateDatabase database(dir / "data");
    return Campaign(settings, bin_dir, database, nullptr).Run();
  }
  PatroniDatabase database(settings.patroni_script, settings.patroni_dir);
  return Campaign(settings, bin_dir, database, &database).Run();
}

}  // namespace
}  // namespace allot::campaign

int main(int argc, char** argv) {
  try {
    return allot::campaign::Main(argc, argv);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "campaign: %s\n", problem.what());
    return 1;
  }
}
