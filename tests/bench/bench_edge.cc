// What the three floods that gRPC 1.51 does not withstand do to others behind the edge: a real
// nginx with the configuration as shipped, a real allotd on a real PostgreSQL, members who look at
// their project from one address, and a flood from others. In turns without and with the flood.
// Prints one JSON line for each flood; progress goes to stderr. With --direct the flood and the
// members meet allotd itself. As root with the rules for how often an address may connect.

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "support/edge.h"
#include "support/flood.h"
#include "support/rpc/served_allotd.h"

namespace allot {
namespace {

using testing::ContextFor;
using testing::Flood;
using testing::Must;
using testing::Quantile;
using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct Settings {
  bool direct = false;
  bool firewall = true;
  std::string flood;
  int callers = 32;
  int pause_ms = 100;
  int connections = 0;
  int addresses = 1;
  int nice = 0;
  int descriptors = 4'096;
  int seconds = 5;
  int rounds = 3;
};

/// What a call takes in milliseconds; nothing when it fails.
std::optional<double> Look(v1::ProjectService::Stub& stub, const std::string& key) {
  v1::GetProjectRequest request;
  request.set_name("institutes/quiet/projects/p");
  v1::Project found;
  const auto context = ContextFor(key);
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  const auto start = SteadyClock::now();
  if (!stub.GetProject(context.get(), request, &found).ok()) return std::nullopt;
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count();
}

/// What was seen of calls while it lasted.
struct Seen {
  std::vector<double> took_ms;
  std::vector<SteadyClock::time_point> answered_at;
  int failed = 0;

  void Add(const std::optional<double>& call) {
    if (!call) {
      ++failed;
      return;
    }
    took_ms.push_back(*call);
    answered_at.push_back(SteadyClock::now());
  }
  void Add(const Seen& more) {
    took_ms.insert(took_ms.end(), more.took_ms.begin(), more.took_ms.end());
    failed += more.failed;
  }
};

/// Members who call, think, and call again, on connections of before; and one who connects anew for
/// each call.
class Members {
 public:
  Members(const testing::ServedAllotd& served, const std::string& address, const std::string& key,
          const Settings& settings) {
    for (int i = 0; i < settings.callers; ++i) {
      threads_.emplace_back(
          [this, i, key, settings, channel = served.Connect(address)](const std::stop_token& stop) {
            const auto stub = v1::ProjectService::NewStub(channel);
            // Not all at once.
            std::this_thread::sleep_for(milliseconds(settings.pause_ms * i / settings.callers));
            while (!stop.stop_requested()) {
              Note(Look(*stub, key), calls_);
              std::this_thread::sleep_for(milliseconds(settings.pause_ms));
            }
          });
    }
    threads_.emplace_back([this, &served, address, key](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        Note(Look(*v1::ProjectService::NewStub(served.Connect(address)), key), connections_);
        std::this_thread::sleep_for(milliseconds(100));
      }
    });
  }

  /// What was seen since the last time.
  std::pair<Seen, Seen> Take() {
    const std::lock_guard lock(mutex_);
    return {std::exchange(calls_, {}), std::exchange(connections_, {})};
  }

 private:
  void Note(const std::optional<double>& call, Seen& seen) {
    const std::lock_guard lock(mutex_);
    seen.Add(call);
  }

  std::mutex mutex_;
  Seen calls_;
  Seen connections_;
  std::vector<std::jthread> threads_;
};

/// What processes use, and the most of it that was seen.
class Use {
 public:
  explicit Use(std::vector<pid_t> pids) : pids_(std::move(pids)) {}

  void Look() {
    double memory_mb = 0;
    int64_t descriptors = 0;
    for (const pid_t pid : pids_) {
      const std::string process = "/proc/" + std::to_string(pid);
      std::ifstream memory(process + "/statm");
      double pages = 0;
      memory >> pages >> pages;
      memory_mb += pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
      std::error_code gone;
      const std::filesystem::directory_iterator open(process + "/fd", gone);
      descriptors += std::distance(begin(open), end(open));
    }
    memory_mb_ = std::max(memory_mb_, memory_mb);
    descriptors_ = std::max(descriptors_, descriptors);
  }
  double memory_mb() const { return memory_mb_; }
  int64_t descriptors() const { return descriptors_; }

  double CpuSeconds() const {
    double ticks = 0;
    for (const pid_t pid : pids_) {
      std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
      const std::string stat{std::istreambuf_iterator<char>(file), {}};
      // The 14th and 15th field, counted behind the name, which may hold blanks.
      std::istringstream fields(stat.substr(stat.rfind(')') + 1));
      std::string skipped;
      for (int i = 0; i < 11; ++i) fields >> skipped;
      double user = 0;
      double system = 0;
      fields >> user >> system;
      ticks += user + system;
    }
    return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  }

 private:
  const std::vector<pid_t> pids_;
  double memory_mb_ = 0;
  int64_t descriptors_ = 0;
};

testing::Authority& WithServerAndEdge(testing::Authority& authority) {
  authority.MakeServer();
  authority.MakeEdge();
  return authority;
}

/// Everything that is measured against.
struct Scene {
  Scene(const Settings& settings, const std::string& bin_dir)
      : served(bin_dir, WithServerAndEdge(authority)) {
    served.CreateInstitute("quiet");
    served.CreateProject("quiet", "p", 500);
    key = served.CreateMemberKey("quiet");
    if (!settings.direct) edge.emplace(authority, served.address());
    if (edge && settings.firewall) firewall = testing::EdgeFirewall::Make(edge->port());
    const auto limit = static_cast<rlim_t>(settings.descriptors);
    const rlimit both{limit, limit};
    prlimit(served.pid(), RLIMIT_NOFILE, &both, nullptr);
  }
  std::string address() const { return edge ? edge->address() : served.address(); }
  std::vector<pid_t> edge_pids() const { return edge ? edge->pids() : std::vector<pid_t>(); }

  testing::Authority authority;
  testing::ServedAllotd served;
  std::optional<testing::Edge> edge;
  std::unique_ptr<testing::EdgeFirewall> firewall;
  std::string key;
};

/// One half of a round, or all rounds together.
struct Half {
  Seen calls;
  Seen connections;
  double seconds = 0;
  double edge_cpu_s = 0;
  double server_cpu_s = 0;

  void Add(std::pair<Seen, Seen> seen) {
    calls.Add(seen.first);
    connections.Add(seen.second);
  }
  double per_s() const { return static_cast<double>(calls.took_ms.size()) / seconds; }
};

/// For so long, while the members go on by themselves.
void Watch(Members& members, Use& edge, Use& server, int seconds, Half& half) {
  const double edge_before = edge.CpuSeconds();
  const double server_before = server.CpuSeconds();
  const auto start = SteadyClock::now();
  members.Take();
  while (SteadyClock::now() < start + std::chrono::seconds(seconds)) {
    edge.Look();
    server.Look();
    std::this_thread::sleep_for(milliseconds(50));
  }
  half.Add(members.Take());
  half.seconds += std::chrono::duration<double>(SteadyClock::now() - start).count();
  half.edge_cpu_s += edge.CpuSeconds() - edge_before;
  half.server_cpu_s += server.CpuSeconds() - server_before;
}

/// What had to be waited for after a flood, in milliseconds; nothing when it was not seen.
struct Recovery {
  /// Until a tenth of a second began in which at least 0.9 of the usual calls were answered.
  std::optional<int64_t> rate_ms;
  /// Until a call that had connected anew was answered.
  std::optional<int64_t> connection_ms;
};

Recovery Recover(Members& members, double usual_per_s) {
  constexpr auto kPatience = std::chrono::seconds(3);
  const auto end = SteadyClock::now();
  const auto since_end = [end](SteadyClock::time_point at) {
    return std::chrono::duration_cast<milliseconds>(at - end).count();
  };
  members.Take();
  std::this_thread::sleep_for(kPatience);
  const auto [calls, connections] = members.Take();
  Recovery recovery;
  if (!connections.answered_at.empty()) {
    recovery.connection_ms = since_end(connections.answered_at.front());
  }
  constexpr int64_t kWindowMs = 100;
  for (int64_t from = 0; from + kWindowMs <= milliseconds(kPatience).count(); from += 10) {
    const auto answered = std::ranges::count_if(calls.answered_at, [&](auto at) {
      return since_end(at) >= from && since_end(at) < from + kWindowMs;
    });
    // Of few calls one more or less is no news.
    if (static_cast<double>(answered) + 1 < 0.9 * usual_per_s * kWindowMs / 1'000) continue;
    recovery.rate_ms = from;
    break;
  }
  return recovery;
}

nlohmann::ordered_json Rounded(double value) { return std::round(value * 1'000) / 1'000; }

nlohmann::ordered_json Percentile(const Seen& seen, std::size_t permille) {
  if (seen.took_ms.empty()) return nullptr;
  return Rounded(Quantile(seen.took_ms, permille));
}

nlohmann::ordered_json Longest(const std::vector<std::optional<int64_t>>& waits) {
  int64_t longest = 0;
  for (const auto& wait : waits) {
    if (!wait) return nullptr;
    longest = std::max(longest, *wait);
  }
  return longest;
}

int ConnectionsOf(const Settings& settings, Flood::Kind kind) {
  if (settings.connections > 0) return settings.connections;
  return kind == Flood::Kind::kConnections ? 8'000 : 100;
}

nlohmann::ordered_json Measure(const Settings& settings, Flood::Kind kind,
                               const std::string& bin_dir) {
  const Scene scene(settings, bin_dir);
  const Flood::Options options{
      .kind = kind,
      .port = std::atoi(scene.address().c_str() + scene.address().rfind(':') + 1),
      .connections = ConnectionsOf(settings, kind),
      .addresses = settings.addresses,
      .nice = settings.nice};
  Use edge(scene.edge_pids());
  Use server({scene.served.pid()});
  Members members(scene.served, scene.address(), scene.key, settings);
  Half alone;
  Half flooded;
  Flood::Counts flood_counts;
  std::vector<std::optional<int64_t>> rates;
  std::vector<std::optional<int64_t>> connections;
  std::this_thread::sleep_for(milliseconds(500));
  for (int round = 0; round < settings.rounds; ++round) {
    std::fprintf(stderr, "\r%s, round %d of %d ", std::string(Name(kind)).c_str(), round + 1,
                 settings.rounds);
    Watch(members, edge, server, settings.seconds, alone);
    {
      const Flood flood(options);
      Watch(members, edge, server, settings.seconds, flooded);
      flood_counts += flood.counts();
    }
    const Recovery recovery = Recover(members, alone.per_s());
    rates.push_back(recovery.rate_ms);
    connections.push_back(recovery.connection_ms);
  }
  std::fprintf(stderr, "\n");
  const auto per_s = [&](double count) { return Rounded(count / flooded.seconds); };
  return {{"bench", "edge"},
          {"flood", Name(kind)},
          {"against", settings.direct ? "allotd" : "edge"},
          {"firewall", scene.firewall != nullptr},
          {"flood_connections", options.connections},
          {"flood_addresses", options.addresses},
          {"flood_nice", options.nice},
          {"flood_connected_per_s", per_s(static_cast<double>(flood_counts.connected))},
          {"flood_closed_per_s", per_s(static_cast<double>(flood_counts.closed))},
          {"flood_frames_per_s", per_s(static_cast<double>(flood_counts.frames))},
          {"alone_per_s", Rounded(alone.per_s())},
          {"flooded_per_s", Rounded(flooded.per_s())},
          {"kept", Rounded(flooded.per_s() / alone.per_s())},
          {"failed", flooded.calls.failed},
          {"alone_p50_ms", Percentile(alone.calls, 500)},
          {"alone_p99_ms", Percentile(alone.calls, 990)},
          {"flooded_p50_ms", Percentile(flooded.calls, 500)},
          {"flooded_p99_ms", Percentile(flooded.calls, 990)},
          {"new_connections", flooded.connections.took_ms.size()},
          {"new_connections_failed", flooded.connections.failed},
          {"new_connection_alone_p50_ms", Percentile(alone.connections, 500)},
          {"new_connection_p50_ms", Percentile(flooded.connections, 500)},
          {"new_connection_p99_ms", Percentile(flooded.connections, 990)},
          {"rate_back_ms", Longest(rates)},
          {"new_connection_back_ms", Longest(connections)},
          {"nginx_rss_peak_mb", Rounded(edge.memory_mb())},
          {"allotd_rss_peak_mb", Rounded(server.memory_mb())},
          {"nginx_descriptors_peak", edge.descriptors()},
          {"allotd_descriptors_peak", server.descriptors()},
          {"flood_cpus", per_s(static_cast<double>(flood_counts.cpu_micros) / 1e6)},
          {"nginx_cpus_alone", Rounded(alone.edge_cpu_s / alone.seconds)},
          {"nginx_cpus", Rounded(flooded.edge_cpu_s / flooded.seconds)},
          {"allotd_cpus_alone", Rounded(alone.server_cpu_s / alone.seconds)},
          {"allotd_cpus", Rounded(flooded.server_cpu_s / flooded.seconds)}};
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app("What three floods do to others behind the edge.");
  app.add_flag("--direct", settings.direct, "Against allotd itself, without the edge");
  app.add_flag("!--no-firewall", settings.firewall, "An address may connect as often as it likes");
  app.add_option("--flood", settings.flood, "One of them [all three]")
      ->check(CLI::IsMember({"rapid_reset", "unfinished_headers", "connections"}));
  app.add_option("--callers", settings.callers, "Members with a connection each")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--pause-ms", settings.pause_ms, "How long they think between two calls")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  app.add_option("--connections", settings.connections,
                 "Of the flood [100; of a flood of connections 8000]")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--addresses", settings.addresses, "That the flood comes from")
      ->check(CLI::Range(1, 200))
      ->capture_default_str();
  app.add_option("--nice", settings.nice, "19: the flood itself makes way on shared processors")
      ->check(CLI::Range(0, 19))
      ->capture_default_str();
  app.add_option("--descriptors", settings.descriptors, "That allotd may have")
      ->check(CLI::Range(256, 65'536))
      ->capture_default_str();
  app.add_option("--seconds", settings.seconds, "Of a round without and one with the flood")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  app.add_option("--rounds", settings.rounds, "Of both")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  using enum Flood::Kind;
  for (const Flood::Kind kind : {kRapidReset, kUnfinishedHeaders, kConnections}) {
    if (!settings.flood.empty() && settings.flood != Name(kind)) continue;
    std::printf("%s\n", Measure(settings, kind, testing::BinDir(argv[0])).dump().c_str());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) {
  try {
    return allot::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-edge: %s\n", error.what());
    return 1;
  }
}
