#include "e2e/installation.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <utility>

#include <gtest/gtest.h>

namespace allot::testing {
namespace {

constexpr const char* kSmallNation = R"yaml(
--- {kind: Provider, id: naver, display_name: "네이버 (Naver)"}
--- {kind: Cluster, id: naver-a, provider: naver, model: H200, programmes: [call-2026-1]}
--- {kind: Provider, id: kakao, display_name: "카카오 (Kakao)"}
--- {kind: Cluster, id: kakao-a, provider: kakao, model: B200, programmes: [call-2026-1]}
--- {kind: Institute, id: snu, sector: academia, display_name: "서울대학교 (SNU)"}
--- {kind: Project, id: snu/llm, programme: call-2026-1, sector: academia, merit: 800}
--- {kind: Quota, project: snu/llm, concurrent_gpus: {H200: 256, B200: 128}, gpu_hours: 1000000}
--- {kind: Institute, id: kaist, sector: academia, display_name: "한국과학기술원 (KAIST)"}
--- {kind: Project, id: kaist/vision, programme: call-2026-1, sector: academia, merit: 700}
--- {kind: Quota, project: kaist/vision, concurrent_gpus: {H200: 256, B200: 128}, gpu_hours: 1000000}
)yaml";

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// A server that was killed leaves its PostgreSQL to the next one; here there is none.
void EndPostgres(pid_t pid) {
  if (pid <= 0 || !Lives(pid)) return;
  kill(pid, SIGQUIT);
  for (int look = 0; look < 1'000 && Lives(pid); ++look) usleep(10'000);
}

std::vector<std::string> Joined(std::initializer_list<std::vector<std::string>> parts) {
  std::vector<std::string> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace

Installation::Installation(const std::string& config) : Installation(config, nullptr) {}

Installation::Installation(const Authority& authority)
    : Installation("policy: {gathering_time: 0s}\nserver:\n  tls: {certificate: " +
                       authority.certificate("server") + ", key: " + authority.key("server") +
                       ", client_ca: " + authority.ca() + "}\n",
                   &authority) {}

Installation::Installation(const std::string& config, const Authority* authority)
    : authority_(authority) {
  server_command_ = {Binary("allotd"), "serve",       "--data-dir",       data_dir(),
                     "--listen",       "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"};
  WriteFile(dir_ / "allotd.yaml", config);
  server_command_.insert(server_command_.end(), {"--config", dir_ / "allotd.yaml"});
  StartServer();
}

Installation::~Installation() {
  server_.reset();
  EndPostgres(postgres_pid());
}

void Installation::StartServer() {
  server_.reset();
  server_ = std::make_unique<Process>(server_command_);
  if (!server_->AwaitErr(R"("event":"serving")")) {
    throw std::runtime_error("the server does not serve:\n" + server_->err());
  }
  last_address_ = address();
}

void Installation::MoveTo(const std::string& data_dir) {
  data_dir_ = data_dir;
  for (std::size_t i = 0; i + 1 < server_command_.size(); ++i) {
    if (server_command_[i] == "--data-dir") server_command_[i + 1] = data_dir;
    if (server_command_[i] == "--listen") server_command_[i + 1] = last_address_;
  }
}

std::string MetricsOf(const Process& server) {
  const std::string log = server.err();
  const std::string before_port = R"("metrics_listen":"127.0.0.1:)";
  const std::size_t at = log.find(before_port);
  if (at == std::string::npos) {
    ADD_FAILURE() << log;
    return {};
  }
  const int port = std::atoi(log.c_str() + at + before_port.size());
  return RunToEnd({"bash", "-c",
                   "exec 3<>/dev/tcp/127.0.0.1/" + std::to_string(port) +
                       " && printf 'GET /metrics HTTP/1.1\\r\\nHost: "
                       "x\\r\\nConnection: close\\r\\n\\r\\n' >&3 && "
                       "timeout 10 cat <&3"})
      .out;
}

std::string Installation::Metrics() const { return MetricsOf(*server_); }

std::string Installation::address() const { return FirstLine(data_dir() + "/server.address"); }

pid_t Installation::postgres_pid() const {
  return std::atoi(FirstLine(data_dir() + "/postgres/postmaster.pid").c_str());
}

Ended Installation::Allot(std::vector<std::string> arguments) const {
  return StartAllot(std::move(arguments))->Wait();
}

Ended Installation::AllotAs(const std::string& key_file, std::vector<std::string> arguments) const {
  return RunToEnd(Joined({{Binary("allot"), "--server", Server(), "--key-file", key_file},
                          TlsFlags(),
                          std::move(arguments)}));
}

std::unique_ptr<Process> Installation::StartAllot(std::vector<std::string> arguments) const {
  std::vector<std::string> command = {Binary("allot"), "--data-dir", data_dir()};
  if (!front_.empty()) command.insert(command.end(), {"--server", front_});
  return std::make_unique<Process>(Joined({std::move(command), TlsFlags(), std::move(arguments)}));
}

nlohmann::json Installation::AllotJson(std::vector<std::string> arguments) const {
  arguments.insert(arguments.end(), {"-o", "json"});
  const Ended ended = Allot(arguments);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  return nlohmann::json::parse(ended.out, nullptr, /*allow_exceptions=*/false);
}

Ended Installation::Apply(std::string_view yaml) const {
  WriteFile(dir_ / "apply.yaml", yaml);
  Ended ended = Allot({"apply", "-f", dir_ / "apply.yaml"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  return ended;
}

std::string Installation::StateOf(const std::string& allocation) const {
  const nlohmann::json found = AllotJson({"get", allocation});
  std::string state = found.value("state", "");
  for (char& c : state) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  constexpr std::string_view kPrefix = "state_";
  return state.starts_with(kPrefix) ? state.substr(kPrefix.size()) : state;
}

std::string Installation::MakeKey(const std::string& name,
                                  std::vector<std::string> role_and_scope) const {
  role_and_scope.insert(role_and_scope.begin(), {"keys", "create", "--role"});
  const Ended ended = Allot(role_and_scope);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  const std::string path = dir_ / (name + ".key");
  WriteFile(path, ended.out);
  chmod(path.c_str(), 0600);
  return path;
}

void Installation::RegisterSmallNation() const { Apply(kSmallNation); }

std::unique_ptr<Process> Installation::StartAgent(const std::string& cluster,
                                                  const std::string& site_lines) const {
  auto agent = LaunchAgent(cluster, cluster, site_lines);
  EXPECT_TRUE(agent->AwaitErr("inventory sent")) << agent->err();
  return agent;
}

std::unique_ptr<Process> Installation::LaunchAgent(const std::string& cluster,
                                                   const std::string& state_name,
                                                   const std::string& site_lines) const {
  const bool naver = cluster == "naver-a";
  const std::string provider = naver ? "naver" : "kakao";
  const std::string site = dir_ / (state_name + ".yaml");
  WriteFile(site, "provider: " + provider + "\ncluster: " + cluster +
                      "\ngpu_model: " + (naver ? "H200" : "B200") + "\nnodes: [\"node-[1-" +
                      (naver ? "4" : "2") + "]\"]\n" + site_lines);
  return std::make_unique<Process>(
      Joined({{Binary("allot-agent"), "--server", Server(), "--site", site, "--key-file",
               ProviderKey(provider), "--state", AgentState(state_name)},
              TlsFlags(provider)}));
}

std::string Installation::ProviderKey(const std::string& provider) const {
  std::string key = dir_ / (provider + ".key");
  if (!std::filesystem::exists(key)) MakeKey(provider, {"provider", "--provider", provider});
  return key;
}

std::vector<std::string> Installation::TlsFlags(const std::string& provider) const {
  if (authority_ == nullptr) return {};
  std::vector<std::string> flags = {"--ca-file", authority_->ca()};
  if (!provider.empty()) {
    flags.insert(flags.end(), {"--certificate", authority_->certificate(provider),
                               "--certificate-key", authority_->key(provider)});
  }
  return flags;
}

std::string Installation::AgentState(const std::string& state_name) const {
  return dir_ / ("agent-" + state_name);
}

void Installation::WriteFile(const std::string& path, std::string_view text) const {
  std::ofstream(path) << text;
}

std::optional<double> ValueOf(const std::string& scrape, const std::string& series) {
  const std::size_t at = scrape.find("\n" + series + " ");
  if (at == std::string::npos) return std::nullopt;
  return std::atof(scrape.c_str() + at + series.size() + 2);
}

bool AwaitFile(const std::string& folder, std::string_view wanted) {
  const int events = inotify_init1(IN_CLOEXEC);
  inotify_add_watch(events, folder.c_str(), IN_MOVED_TO | IN_CLOSE_WRITE);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  bool found = false;
  while (!found && std::chrono::steady_clock::now() < deadline) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
      found = found || ReadWhole(entry.path()).find(wanted) != std::string::npos;
    }
    if (found) break;
    pollfd ready{.fd = events, .events = POLLIN, .revents = 0};
    // The folder itself may be made only now; then there is nothing to watch yet.
    poll(&ready, 1, std::filesystem::exists(folder) ? 1'000 : 10);
    char buffer[4096];
    if (ready.revents != 0) (void)!read(events, buffer, sizeof buffer);
  }
  close(events);
  return found;
}

}  // namespace allot::testing
