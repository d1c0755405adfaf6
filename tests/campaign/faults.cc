#include "campaign/faults.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

namespace allot::campaign {
namespace {

/// A lease, its renewal and a turn; failover is to be within 5 s. Beyond that it is waited for no
/// more.
constexpr int64_t kLeadPatienceMs = 30'000;
/// Patroni's lease in etcd, and what comes after it.
constexpr int64_t kFailoverPatienceMs = 90'000;

void SleepMs(int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

class Faults {
 public:
  Faults(Installation& installation, Database& database, PatroniDatabase* patroni,
         std::mt19937_64& random)
      : installation_(installation), database_(database), patroni_(patroni), random_(random) {}

  // ---- Servers and agents ----

  std::optional<Struck> KillServer() {
    const int number = Draw(Installation::kServers);
    const int64_t at = SteadyMs();
    installation_.server(number).Kill();
    SleepMs(Draw(1'000));
    installation_.StartServer(number);
    return Struck{at, {}};
  }

  std::optional<Struck> KillLeader() {
    const int leader = installation_.Leader();
    if (leader < 0) return std::nullopt;
    while (installation_.HasNewLeader()) {
    }
    const int64_t at = SteadyMs();
    installation_.server(leader).Kill();
    const auto lead = AwaitNewLeader();
    installation_.StartServer(leader);
    return Struck{at, lead};
  }

  std::optional<Struck> StopServer() {
    const int number = Draw(Installation::kServers);
    const int64_t at = SteadyMs();
    installation_.server(number).Signal(SIGSTOP);
    SleepMs(500 + Draw(4'000));
    installation_.server(number).Signal(SIGCONT);
    return Struck{at, {}};
  }

  std::optional<Struck> StopLeader() {
    const int leader = installation_.Leader();
    if (leader < 0) return std::nullopt;
    while (installation_.HasNewLeader()) {
    }
    const int64_t at = SteadyMs();
    installation_.server(leader).Signal(SIGSTOP);
    const auto lead = AwaitNewLeader();
    installation_.server(leader).Signal(SIGCONT);
    return Struck{at, lead};
  }

  std::optional<Struck> EndServer() {
    const int number = Draw(Installation::kServers);
    const int64_t at = SteadyMs();
    installation_.server(number).Terminate();
    installation_.StartServer(number);
    return Struck{at, {}};
  }

  /// A day ahead or behind, then true again.
  std::optional<Struck> ServerClock() {
    const int number = Draw(Installation::kServers);
    const int64_t at = SteadyMs();
    installation_.server(number).Kill();
    installation_.StartServer(number, Draw(2) == 0 ? "+1d" : "-1d");
    SleepMs(2'000 + Draw(4'000));
    installation_.server(number).Kill();
    installation_.StartServer(number);
    return Struck{at, {}};
  }

  std::optional<Struck> KillAgent() {
    const std::string cluster = AnyCluster();
    const int64_t at = SteadyMs();
    installation_.agent(cluster).Kill();
    SleepMs(Draw(1'000));
    installation_.StartAgent(cluster);
    return Struck{at, {}};
  }

  std::optional<Struck> StopAgent() {
    const std::string cluster = AnyCluster();
    const int64_t at = SteadyMs();
    installation_.agent(cluster).Signal(SIGSTOP);
    SleepMs(500 + Draw(5'000));
    installation_.agent(cluster).Signal(SIGCONT);
    return Struck{at, {}};
  }

  std::optional<Struck> AgentClock() {
    const std::string cluster = AnyCluster();
    const int64_t at = SteadyMs();
    installation_.agent(cluster).Kill();
    installation_.StartAgent(cluster, Draw(2) == 0 ? "+1d" : "-1d");
    SleepMs(2'000 + Draw(4'000));
    installation_.agent(cluster).Kill();
    installation_.StartAgent(cluster);
    return Struck{at, {}};
  }

  // ---- PostgreSQL ----

  std::optional<Struck> KillPostmaster() {
    const pid_t pid = database_.Postmaster();
    if (pid == 0) return std::nullopt;
    const int64_t at = SteadyMs();
    kill(pid, SIGKILL);
    return Struck{at, {}};
  }

  std::optional<Struck> KillBackend() {
    const pid_t pid = database_.AnyBackend(random_());
    if (pid == 0) return std::nullopt;
    const int64_t at = SteadyMs();
    kill(pid, SIGKILL);
    return Struck{at, {}};
  }

  std::optional<Struck> StopBackend() {
    const pid_t pid = database_.AnyBackend(random_());
    if (pid == 0) return std::nullopt;
    kill(pid, SIGSTOP);
    SleepMs(200 + Draw(4'000));
    kill(pid, SIGCONT);
    return Struck{SteadyMs(), {}};
  }

  /// The whole of it, as a virtual machine that is moved.
  std::optional<Struck> StopPostgres() {
    const pid_t postmaster = database_.Postmaster();
    if (postmaster == 0) return std::nullopt;
    const std::vector<pid_t> children = ChildrenOf(postmaster);
    kill(postmaster, SIGSTOP);
    for (const pid_t child : children) kill(child, SIGSTOP);
    SleepMs(500 + Draw(4'000));
    for (const pid_t child : children) kill(child, SIGCONT);
    kill(postmaster, SIGCONT);
    return Struck{SteadyMs(), {}};
  }

  // ---- Patroni and its machines ----

  std::optional<Struck> Switchover() {
    if (PrimaryWithStandby().empty()) return std::nullopt;
    const int64_t at = SteadyMs();
    patroni_->Do({"switchover"});
    return Struck{at, {}};
  }

  /// The primary's machine dies: Patroni, PostgreSQL and etcd at once.
  std::optional<Struck> KillMachine() {
    const std::string leader = PrimaryWithStandby();
    if (leader.empty()) return std::nullopt;
    const pid_t postmaster = patroni_->PostmasterOf(leader);
    const int64_t at = SteadyMs();
    for (const char* program : {"patroni", "etcd"}) KillIfThere(patroni_->Program(leader, program));
    KillIfThere(postmaster);
    AwaitOtherPrimary(leader);
    patroni_->Do({"start", leader});
    return Struck{at, {}};
  }

  std::optional<Struck> KillPatroni() {
    const std::string node = Draw(2) == 0 ? patroni_->Leader() : patroni_->Standby(random_());
    if (node.empty()) return std::nullopt;
    const int64_t at = SteadyMs();
    KillIfThere(patroni_->Program(node, "patroni"));
    SleepMs(Draw(3'000));
    patroni_->Do({"start", node});
    return Struck{at, {}};
  }

  std::optional<Struck> KillEtcd() {
    const std::string node = "db" + std::to_string(1 + Draw(3));
    const int64_t at = SteadyMs();
    KillIfThere(patroni_->Program(node, "etcd"));
    SleepMs(Draw(3'000));
    patroni_->Do({"start", node});
    return Struck{at, {}};
  }

  /// Long enough that another is made the primary while this one still believes that it is.
  std::optional<Struck> CutPrimary(bool from_peers_only) {
    const std::string leader = PrimaryWithStandby();
    if (leader.empty()) return std::nullopt;
    const int64_t at = SteadyMs();
    if (from_peers_only) {
      patroni_->Do({"cut", leader, "peers"});
    } else {
      patroni_->Do({"cut", leader});
    }
    AwaitOtherPrimary(leader);
    SleepMs(Draw(2'000));
    patroni_->Do({"join", leader});
    return Struck{at, {}};
  }

  std::optional<Struck> CutStandby() {
    const std::string standby = patroni_->Standby(random_());
    const int64_t at = SteadyMs();
    patroni_->Do({"cut", standby});
    SleepMs(1'000 + Draw(6'000));
    patroni_->Do({"join", standby});
    return Struck{at, {}};
  }

  std::optional<Struck> KillStandby() {
    const pid_t pid = patroni_->PostmasterOf(patroni_->Standby(random_()));
    if (pid == 0) return std::nullopt;
    const int64_t at = SteadyMs();
    kill(pid, SIGKILL);
    return Struck{at, {}};
  }

  /// The primary's disk is full for a while.
  std::optional<Struck> FillDisk() {
    const std::string leader = patroni_->Leader();
    if (leader.empty()) return std::nullopt;
    const std::string file = patroni_->FolderOf(leader) + "/full";
    {
      std::ofstream filling(file, std::ios::binary);
      const std::string block(std::size_t{1} << 16, 'x');
      while (filling.write(block.data(), static_cast<std::streamsize>(block.size()))) {
      }
    }
    SleepMs(4'000 + Draw(6'000));
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
    return Struck{SteadyMs(), {}};
  }

  /// A disk that answers fsync with an error for a while.
  std::optional<Struck> FailFsync() {
    const std::string node = Draw(3) == 0 ? patroni_->Standby(random_()) : patroni_->Leader();
    if (node.empty()) return std::nullopt;
    const std::string sign = patroni_->FolderOf(node) + "/fsync-fails";
    std::ofstream(sign).put('\n');
    SleepMs(500 + Draw(4'000));
    std::error_code ignored;
    std::filesystem::remove(sign, ignored);
    return Struck{SteadyMs(), {}};
  }

 private:
  int Draw(int below) { return static_cast<int>(random_() % static_cast<uint64_t>(below)); }
  std::string AnyCluster() { return Installation::kClusters[Draw(2)]; }

  /// While no standby is in step with the primary nobody may take its place: to take it away then
  /// is to end the service until it is back, and shows nothing. Empty in that case.
  std::string PrimaryWithStandby() const {
    return patroni_->HasStandby() ? patroni_->Leader() : std::string();
  }

  static void KillIfThere(pid_t pid) {
    if (pid > 1) kill(pid, SIGKILL);
  }

  std::optional<int64_t> AwaitNewLeader() {
    const int64_t end_ms = SteadyMs() + kLeadPatienceMs;
    while (SteadyMs() < end_ms) {
      if (installation_.HasNewLeader()) return SteadyMs();
    }
    return std::nullopt;
  }

  void AwaitOtherPrimary(const std::string& before) {
    const int64_t end_ms = SteadyMs() + kFailoverPatienceMs;
    while (SteadyMs() < end_ms) {
      const std::string leader = patroni_->Leader();
      if (!leader.empty() && leader != before) return;
      SleepMs(200);
    }
  }

  Installation& installation_;
  Database& database_;
  PatroniDatabase* const patroni_;
  std::mt19937_64& random_;
};

}  // namespace

std::vector<FaultKind> FaultKinds(Installation& installation, Database& database,
                                  PatroniDatabase* patroni, std::mt19937_64& random) {
  const auto faults = std::make_shared<Faults>(installation, database, patroni, random);
  std::vector<FaultKind> kinds;
  const auto add = [&](const std::string& name, int weight, auto strike) {
    kinds.push_back({name, weight, [faults, strike] { return strike(*faults); }});
  };
  add("kill_server", 10, [](Faults& f) { return f.KillServer(); });
  add("kill_leader", 10, [](Faults& f) { return f.KillLeader(); });
  add("stop_server", 8, [](Faults& f) { return f.StopServer(); });
  add("stop_leader", 8, [](Faults& f) { return f.StopLeader(); });
  add("end_server", 4, [](Faults& f) { return f.EndServer(); });
  add("kill_agent", 6, [](Faults& f) { return f.KillAgent(); });
  add("stop_agent", 4, [](Faults& f) { return f.StopAgent(); });
  add("kill_postgres", 6, [](Faults& f) { return f.KillPostmaster(); });
  add("kill_backend", 6, [](Faults& f) { return f.KillBackend(); });
  add("stop_backend", 6, [](Faults& f) { return f.StopBackend(); });
  add("stop_postgres", 4, [](Faults& f) { return f.StopPostgres(); });
  if (std::filesystem::exists("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")) {
    add("server_clock", 4, [](Faults& f) { return f.ServerClock(); });
    add("agent_clock", 2, [](Faults& f) { return f.AgentClock(); });
  }
  if (patroni == nullptr) return kinds;
  add("switchover", 4, [](Faults& f) { return f.Switchover(); });
  add("kill_machine", 2, [](Faults& f) { return f.KillMachine(); });
  add("kill_patroni", 4, [](Faults& f) { return f.KillPatroni(); });
  add("kill_etcd", 4, [](Faults& f) { return f.KillEtcd(); });
  add("cut_primary", 2, [](Faults& f) { return f.CutPrimary(false); });
  add("cut_primary_from_peers", 2, [](Faults& f) { return f.CutPrimary(true); });
  add("cut_standby", 4, [](Faults& f) { return f.CutStandby(); });
  add("kill_standby", 4, [](Faults& f) { return f.KillStandby(); });
  add("disk_full", 4, [](Faults& f) { return f.FillDisk(); });
  if (patroni->HasPreload()) {
    add("fsync_fails", 4, [](Faults& f) { return f.FailFsync(); });
  }
  return kinds;
}

}  // namespace allot::campaign
