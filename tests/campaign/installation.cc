#include "campaign/installation.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace allot::campaign {
namespace {

using testing::Ended;
using testing::Process;
using testing::RunToEnd;

constexpr const char* kFaketime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
/// Within a network namespace, or on a machine's own loopback: nobody else uses them here.
constexpr int kFirstPort = 28'443;

/// Clocks that are set are of people; what is waited for goes by the machine's steady one.
std::vector<std::pair<std::string, std::string>> ClockOf(const std::string& clock) {
  if (clock.empty()) return {};
  return {{"LD_PRELOAD", kFaketime}, {"FAKETIME", clock}, {"FAKETIME_DONT_FAKE_MONOTONIC", "1"}};
}

std::string Line(const std::string& text) { return text.substr(0, text.find('\n')); }

void WriteSecret(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
  chmod(path.c_str(), 0600);
}

}  // namespace

Installation::Installation(std::string bin_dir, Database& database)
    : bin_dir_(std::move(bin_dir)), database_(database), servers_(kServers) {
  for (int number = 0; number < kServers; ++number) {
    access_.servers.push_back("127.0.0.1:" + std::to_string(kFirstPort + number));
  }
  const Ended key =
      RunToEnd({bin_dir_ + "/allotd", "create-operator-key", "--database", database_.url()});
  if (key.exit_code != 0) throw std::runtime_error("no key: " + key.err);
  access_.key = Line(key.out);
  WriteSecret(dir_ / "operator.key", key.out);
  std::ofstream(dir_ / "allotd.yaml") << "server: {log_level: info}\n"
                                         "policy: {gathering_time: 0s}\n";
  for (int number = 0; number < kServers; ++number) {
    if (!StartServer(number)) throw std::runtime_error("does not serve: " + server(number).err());
  }
  RegisterNation();
  for (const char* cluster : kClusters) StartAgent(cluster);
}

bool Installation::StartServer(int number, const std::string& clock) {
  auto& process = servers_[static_cast<std::size_t>(number)];
  process.reset();
  process = std::make_unique<Process>(Process::Options{
      .command = {bin_dir_ + "/allotd", "serve", "--database", database_.url(), "--config",
                  dir_ / "allotd.yaml", "--listen",
                  access_.servers[static_cast<std::size_t>(number)], "--metrics-listen", "off"},
      .environment = ClockOf(clock)});
  return process->AwaitErr(R"("event":"serving")", std::chrono::seconds(10)).has_value();
}

void Installation::StartAgent(const std::string& cluster, const std::string& clock) {
  auto& process = agents_[cluster];
  process.reset();
  std::string servers;
  for (const std::string& server : access_.servers)
    servers += (servers.empty() ? "" : ",") + server;
  process = std::make_unique<Process>(Process::Options{
      .command = {bin_dir_ + "/allot-agent", "--server", servers, "--site",
                  dir_ / (cluster + ".yaml"), "--key-file", dir_ / (cluster + ".key"), "--state",
                  dir_ / ("agent-" + cluster)},
      .environment = ClockOf(clock)});
}

Ended Installation::Allot(std::vector<std::string> arguments) const {
  std::string servers;
  for (const std::string& server : access_.servers)
    servers += (servers.empty() ? "" : ",") + server;
  arguments.insert(arguments.begin(), {bin_dir_ + "/allot", "--server", servers, "--key-file",
                                       dir_ / "operator.key", "--timeout", "60s"});
  return RunToEnd(std::move(arguments), std::chrono::seconds(300));
}

void Installation::RegisterNation() {
  std::string nation =
      "--- {kind: Provider, id: naver, display_name: Naver}\n"
      "--- {kind: Cluster, id: naver-a, provider: naver, model: H200, programmes: [call-2026-1]}\n"
      "--- {kind: Provider, id: kakao, display_name: Kakao}\n"
      "--- {kind: Cluster, id: kakao-a, provider: kakao, model: B200, programmes: [call-2026-1]}\n"
      "--- {kind: Institute, id: snu, sector: academia, display_name: SNU}\n";
  for (int number = 0; number < kProjects; ++number) {
    const std::string project = "snu/p" + std::to_string(number);
    nation +=
        "--- {kind: Project, id: " + project +
        ", programme: call-2026-1, sector: academia, merit: 500}\n--- {kind: Quota, project: " +
        project + ", concurrent_gpus: {H200: 64, B200: 64}, gpu_hours: 100000000}\n";
  }
  std::ofstream(dir_ / "nation.yaml") << nation;
  const Ended applied = Allot({"apply", "-f", dir_ / "nation.yaml"});
  if (applied.exit_code != 0) throw std::runtime_error("not applied: " + applied.err);
  for (const std::string cluster : kClusters) {
    const std::string provider = cluster.substr(0, cluster.find('-'));
    MakeKey(cluster, {"--role", "provider", "--provider", provider});
    std::ofstream(dir_ / (cluster + ".yaml"))
        << "provider: " << provider << "\ncluster: " << cluster
        << "\ngpu_model: " << (provider == "naver" ? "H200" : "B200")
        << "\nnodes: [\"node-[1-4]\"]\n";
  }
}

void Installation::MakeKey(const std::string& name, std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {"keys", "create"});
  const Ended made = Allot(std::move(arguments));
  if (made.exit_code != 0) throw std::runtime_error("no key: " + made.err);
  WriteSecret(dir_ / (name + ".key"), made.out);
}

int Installation::Leader() const {
  for (int number = 0; number < kServers; ++number) {
    const std::string log = servers_[static_cast<std::size_t>(number)]->err();
    const std::size_t begun = log.rfind(R"("event":"leading",)");
    const std::size_t ended = log.rfind(R"("event":"leading_ended",)");
    if (begun != std::string::npos && (ended == std::string::npos || ended < begun)) return number;
  }
  return -1;
}

bool Installation::HasNewLeader() {
  return std::ranges::any_of(servers_, [](const auto& server) {
    return server->AwaitErr(R"("event":"leading",)", std::chrono::milliseconds(10)).has_value();
  });
}

void Installation::Mend() {
  for (int number = 0; number < kServers; ++number) {
    if (!server(number).running()) StartServer(number);
  }
  for (const char* cluster : kClusters) {
    if (!agent(cluster).running()) StartAgent(cluster);
  }
}

}  // namespace allot::campaign
