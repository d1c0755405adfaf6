#include "e2e/several_servers.h"

#include <sys/stat.h>

#include <fstream>
#include <stdexcept>

#include <gtest/gtest.h>

#include "support/postgres_server.h"

namespace allot::testing {
namespace {

void WriteSecret(const std::string& path, std::string_view text) {
  std::ofstream(path) << text;
  chmod(path.c_str(), 0600);
}

/// What stands behind "listen":" in the line that says that a server serves.
std::string ListenOf(const std::string& line) {
  constexpr std::string_view kField = R"("listen":")";
  const std::size_t begin = line.find(kField) + kField.size();
  return line.substr(begin, line.find('"', begin) - begin);
}

}  // namespace

SeveralServers::SeveralServers(int count)
    : database_url_(FreshDatabase()),
      config_file_(dir_ / "allotd.yaml"),
      key_file_(dir_ / "operator.key"),
      servers_(Index(count)) {
  std::ofstream(config_file_) << "policy: {gathering_time: 0s}\n";
  const Ended key =
      RunToEnd({Binary("allotd"), "create-operator-key", "--database", database_url_});
  if (key.exit_code != 0) throw std::runtime_error(key.err);
  WriteSecret(key_file_, key.out);
  for (int number = 0; number < count; ++number) Start(number);
}

void SeveralServers::Start(int number) {
  Server& server = servers_[Index(number)];
  server.process.reset();
  server.process = std::make_unique<Process>(std::vector<std::string>{
      Binary("allotd"), "serve", "--database", database_url_, "--config", config_file_, "--listen",
      server.address.empty() ? "127.0.0.1:0" : server.address, "--metrics-listen", "off"});
  const auto serving = server.process->AwaitErr(R"("event":"serving")");
  if (!serving) throw std::runtime_error("the server does not serve:\n" + server.process->err());
  server.address = ListenOf(*serving);
}

std::string SeveralServers::addresses() const {
  std::string all;
  for (const Server& server : servers_) all += (all.empty() ? "" : ",") + server.address;
  return all;
}

int SeveralServers::AwaitLeader(std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds kTurn{20};
  const auto end = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < end) {
    for (int number = 0; number < count(); ++number) {
      if (server(number).AwaitErr(R"("event":"leading",)", kTurn)) return number;
    }
  }
  return -1;
}

Ended SeveralServers::Allot(const std::string& server, std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(),
                   {Binary("allot"), "--server", server, "--key-file", key_file_});
  return RunToEnd(std::move(arguments));
}

void SeveralServers::Apply(std::string_view yaml) const {
  const std::string file = dir_ / "apply.yaml";
  std::ofstream(file) << yaml;
  const Ended applied = Allot(addresses(), {"apply", "-f", file});
  EXPECT_EQ(applied.exit_code, 0) << applied.err;
}

std::unique_ptr<Process> SeveralServers::StartAgent(const std::string& provider,
                                                    const std::string& cluster) const {
  const std::string site = dir_ / (cluster + ".yaml");
  const std::string key = dir_ / (provider + ".key");
  std::ofstream(site) << "provider: " << provider << "\ncluster: " << cluster
                      << "\ngpu_model: H200\nnodes: [\"node-[1-4]\"]\n";
  const Ended made =
      Allot(addresses(), {"keys", "create", "--role", "provider", "--provider", provider});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  WriteSecret(key, made.out);
  auto agent = std::make_unique<Process>(
      std::vector<std::string>{Binary("allot-agent"), "--server", addresses(), "--site", site,
                               "--key-file", key, "--state", dir_ / ("agent-" + cluster)});
  EXPECT_TRUE(agent->AwaitErr("inventory sent")) << agent->err();
  return agent;
}

}  // namespace allot::testing
