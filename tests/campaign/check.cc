#include "campaign/check.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <pqxx/pqxx>

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

  Findings Judge(const std::vector<Call>& history, const std::set<Watcher::Change>& watched) {
    JudgeCalls(history);
    JudgeClaims();
    JudgeOrders();
    JudgeRevisions(watched);
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

  struct Claim {
    std::string allocation;
    int mask;
    int64_t start;
    int64_t end;
    bool held;
  };

  void JudgeClaims() {
    // A claim given back before its start never kept anybody from anything; one given back later
    // had its GPUs until then.
    const auto micros = [](const std::string& column) {
      return "(extract(epoch FROM " + column + ") * 1000000)::bigint";
    };
    std::map<std::string, std::vector<Claim>> by_node;
    for (const auto& row : database_.exec(
             "SELECT node_id, allocation_id, gpu_mask, " + micros("start_time") + ", " +
             micros("CASE WHEN released_at < end_time THEN released_at ELSE end_time END") +
             ", released_at IS NULL AND NOT promised FROM claims")) {
      by_node[row[0].as<std::string>()].push_back({row[1].as<std::string>(), row[2].as<int>(),
                                                   row[3].as<int64_t>(), row[4].as<int64_t>(),
                                                   row[5].as<bool>()});
    }
    for (auto& [node, claims] : by_node) {
      std::sort(claims.begin(), claims.end(), [](const Claim& a, const Claim& b) {
        return std::tie(a.start, a.end, a.allocation) < std::tie(b.start, b.end, b.allocation);
      });
      for (std::size_t i = 0; i < claims.size(); ++i) {
        for (std::size_t j = i + 1; j < claims.size(); ++j) JudgePair(node, claims[i], claims[j]);
      }
    }
  }

  void JudgePair(const std::string& node, const Claim& a, const Claim& b) {
    if ((a.mask & b.mask) == 0) return;
    const bool overlap = a.start < a.end && b.start < b.end && a.start < b.end && b.start < a.end;
    if (!overlap && !(a.held && b.held)) return;
    Note(findings_.double_bookings, node + " is given to " + a.allocation + " and " + b.allocation);
  }

  void JudgeOrders() {
    for (const auto& row :
         database_.exec("SELECT allocation_id, attempt, kind, count(*) FROM provider_orders"
                        " GROUP BY 1, 2, 3 HAVING count(*) > 1")) {
      Note(findings_.stray_orders,
           row[0].as<std::string>() + ": several orders to " + row[2].as<std::string>());
    }
    for (const auto& row : database_.exec(
             "SELECT c.allocation_id, c.node_id FROM claims c WHERE NOT c.promised AND NOT EXISTS ("
             " SELECT FROM provider_orders o WHERE o.allocation_id = c.allocation_id"
             " AND o.attempt = c.attempt AND o.kind = 'provision' AND c.node_id = ANY "
             "(o.node_ids))")) {
      Note(findings_.stray_orders,
           row[0].as<std::string>() + " has " + row[1].as<std::string>() + " without an order");
    }
  }

  void JudgeRevisions(const std::set<Watcher::Change>& watched) {
    std::set<Watcher::Change> written;
    int64_t before = 0;
    for (const auto& row :
         database_.exec("SELECT revision, kind, resource FROM events ORDER BY revision")) {
      const int64_t revision = row[0].as<int64_t>();
      if (revision > before + 1) {
        Note(findings_.revision_gaps, "nothing between revisions " + std::to_string(before) +
                                          " and " + std::to_string(revision));
      }
      before = revision;
      if (row[1].as<std::string>() == "allocation") {
        written.emplace(revision, ResourceName(row[2].as<std::string>()));
      }
    }
    for (const auto& [revision, name] : written) {
      if (!watched.contains({revision, name})) {
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
               const std::string& database_url) {
  pqxx::connection connection(database_url);
  pqxx::work database(connection);
  return Checker(database).Judge(history, watched);
}

int64_t NewestRevision(const std::string& database_url) {
  pqxx::connection connection(database_url);
  pqxx::nontransaction database(connection);
  return database.exec1("SELECT value FROM revision")[0].as<int64_t>();
}

}  // namespace allot::campaign
