#include "campaign/check.h"

#include <map>
#include <set>
#include <stdexcept>

#include <pqxx/pqxx>

#include "allot/store/verify.h"

namespace allot::campaign {
namespace {

constexpr std::size_t kExamplesMax = 20;

/// "institutes/I/projects/P/allocations/A" of "I/P/A".
std::string ResourceName(const std::string& id) {
  const std::size_t first = id.find('/');
  const std::size_t last = id.rfind('/');
  return "institutes/" + id.substr(0, first) + "/projects/" +
         id.substr(first + 1, last - first - 1) + "/allocations/" + id.substr(last + 1);
}

class Checker {
 public:
  explicit Checker(pqxx::transaction_base& database) : database_(database) {}

  Findings Judge(const std::vector<Call>& history, const std::set<Watcher::Change>& watched,
                 int64_t watched_through, const store::Verification& verification) {
    JudgeCalls(history);
    JudgeTables(verification);
    JudgeChanges(watched, watched_through);
    return findings_;
  }

 private:
  void Note(int& count, const std::string& sentence) {
    ++count;
    if (findings_.examples.size() < kExamplesMax) findings_.examples.push_back(sentence);
  }

  void JudgeCalls(const std::vector<Call>& history) {
    // The request id is each allocation's display name.
    std::map<std::string, std::vector<std::string>> made;
    std::map<std::string, std::string> states;
    for (const auto& row : database_.exec("SELECT id, display_name, state FROM allocations")) {
      const std::string name = ResourceName(row[0].as<std::string>());
      made[row[1].as<std::string>()].push_back(name);
      states[name] = row[2].as<std::string>();
    }
    for (const Call& call : history) {
      if (call.answer == "unknown") ++findings_.unknown;
      if (call.answer != "ok" && call.answer != "unknown") ++findings_.refused;
      if (call.answer != "ok") continue;
      ++findings_.acknowledged;
      if (call.operation != "create") ++findings_.ended;
      if (!states.contains(call.name)) {
        Note(findings_.lost,
             call.operation + " " + call.request_id + ": " + call.name + " is not there");
      } else if (call.operation != "create") {
        const std::string& state = states.at(call.name);
        const std::set<std::string> waits_or_runs = {"pending", "planned", "provisioning",
                                                     "active"};
        if (waits_or_runs.contains(state)) {
          Note(findings_.lost, call.operation + " of " + call.name + ": it is " + state);
        }
      } else if (made[call.request_id] != std::vector<std::string>{call.name}) {
        Note(findings_.twice, call.request_id + " was answered with " + call.name +
                                  " and led to another or to several");
      }
    }
    for (const auto& [request_id, names] : made) {
      if (names.size() > 1)
        Note(findings_.twice, request_id + " led to " + std::to_string(names.size()));
    }
  }

  /// What the tables say by themselves.
  void JudgeTables(const store::Verification& verification) {
    const std::map<std::string, int*> counted = {{"gpu_booked_once", &findings_.double_bookings},
                                                 {"gpu_held_once", &findings_.double_bookings},
                                                 {"claims_are_ordered", &findings_.stray_orders},
                                                 {"orders_once", &findings_.stray_orders},
                                                 {"revisions_dense", &findings_.revision_gaps}};
    for (const store::Finding& finding : verification.findings) {
      const auto count = counted.find(finding.check);
      int& into = count == counted.end() ? findings_.invariants : *count->second;
      into += static_cast<int>(finding.violations);
      for (const std::string& example : finding.examples) {
        if (findings_.examples.size() < kExamplesMax) {
          findings_.examples.push_back(finding.check + ": " + example);
        }
      }
    }
  }

  void JudgeChanges(const std::set<Watcher::Change>& watched, int64_t watched_through) {
    std::set<Watcher::Change> written;
    for (const auto& row :
         database_.exec("SELECT revision, resource FROM events WHERE kind = 'allocation'")) {
      written.emplace(row[0].as<int64_t>(), ResourceName(row[1].as<std::string>()));
    }
    for (const auto& [revision, name] : written) {
      if (revision <= watched_through && !watched.contains({revision, name})) {
        Note(findings_.watch_missed, "not sent: " + std::to_string(revision) + " " + name);
      }
    }
    for (const auto& [revision, name] : watched) {
      if (!written.contains({revision, name})) {
        Note(findings_.watch_invented,
             "sent and not there: " + std::to_string(revision) + " " + name);
      }
    }
  }

  pqxx::transaction_base& database_;
  Findings findings_;
};

}  // namespace

Findings Check(const std::vector<Call>& history, const std::set<Watcher::Change>& watched,
               int64_t watched_through, const std::string& database_url) {
  pqxx::connection connection(database_url);
  pqxx::work database(connection);
  const auto verification = store::Verify(database_url);
  if (!verification.ok()) throw std::runtime_error(Describe(verification.error()));
  return Checker(database).Judge(history, watched, watched_through, *verification);
}

int64_t NewestRevision(const std::string& database_url) {
  pqxx::connection connection(database_url);
  pqxx::nontransaction database(connection);
  return database.exec1("SELECT value FROM revision")[0].as<int64_t>();
}

}  // namespace allot::campaign
