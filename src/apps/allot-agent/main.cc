#include <unistd.h>
#include <csignal>
#include <ctime>

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <iostream>
#include <optional>
#include <string>

#include "agent/agent_threads.h"
#include "agent/certificate_watch.h"
#include "agent/grpc_connection.h"
#include "agent/json_log.h"
#include "agent/key_file.h"
#include "agent/site_file.h"
#include "agent/static_adapter.h"
#include "allot/agent/agent.h"
#include "allot/agent/state_folder.h"
#include "allot/base/clock.h"
#include "allot/base/random.h"
#include "allot/transport/certificate.h"
#include "allot/transport/channel_credentials.h"

namespace allot::agent {
namespace {

constexpr const char* kVersion = ALLOT_VERSION;

/// Documented in --help and docs/provider.md.
enum ExitCode : int {
  kStopped = 0,
  kUnexpected = 1,
  kInvalid = 2,
  kSuperseded = 3,
  kRefused = 4,
  kStateUnusable = 5,
};

constexpr const char* kFooter = R"(
Examples:
  allot-agent --server pool.example:8443 --site /etc/allot/naver-a.yaml \
              --state /var/lib/allot-agent/naver-a --key-file /etc/allot/provider.key \
              --certificate /etc/allot/naver.crt --certificate-key /etc/allot/naver.key
  echo "GPU 3 fell off the bus" > /var/lib/allot-agent/naver-a/health/naver-a-017
  kill -HUP PID      reads the site file and the certificates again

A site file:
  provider: naver
  cluster: naver-a
  gpu_model: H200
  nodes:
    - naver-a-[001-255]

Exit codes:
  0  stopped by SIGTERM or SIGINT
  1  unexpected error, or a certificate that is not valid now (is the clock right?)
  2  a flag, the site file, the key file or a certificate is not as it must be
  3  superseded: a newer agent has taken over this cluster
  4  refused: the server refuses the key, the certificate, the role, the cluster or its GPU model
  5  the state folder cannot be used: in use, of another cluster, damaged, or not writable)";

struct Flags {
  std::string server;
  std::string site;
  std::string state;
  std::string key_file;
  std::string ca_file;
  std::string certificate_file;
  std::string certificate_key_file;
  std::string log_level = "info";
};

/// One that goes on while the machine sleeps, which std::chrono's does not.
int64_t SteadyMs() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return int64_t{now.tv_sec} * 1'000 + now.tv_nsec / 1'000'000;
}

/// A different seed for every start: agents that lost the same server must not come back in step.
uint64_t MintSeed() {
  uint64_t seed = 0;
  for (const char c : SystemIdSource().Mint(12)) {
    seed = seed * 36 + static_cast<unsigned char>(c);
  }
  return seed;
}

int Refuse(const Error& error, ExitCode code) {
  std::cerr << "allot-agent: " << Describe(error) << "\n";
  return code;
}

transport::ClientTls TlsOf(const Flags& flags) {
  return {.ca = {"--ca-file", flags.ca_file},
          .certificate = {"--certificate", flags.certificate_file},
          .key = {"--certificate-key", flags.certificate_key_file}};
}

/// Another time mends a certificate that is not valid now; what was given wrong stays so.
ExitCode CodeOf(const Error& about_certificates) {
  return about_certificates.field.empty() ? kUnexpected : kInvalid;
}

/// Reads it again: what a channel is made with does not say when it ends.
void MeetOwnCertificate(const Flags& flags, Instant now, CertificateWatch& certificates) {
  if (flags.certificate_file.empty()) return;
  const transport::ClientTls tls = TlsOf(flags);
  const auto certificate = transport::ReadCertificate(tls.certificate, tls.key, now);
  if (certificate.ok()) certificates.Meet("provider", certificate->expire_time);
}

/// Until SIGTERM, SIGINT or the agent's own end.
void AwaitEnd(const sigset_t& signals, const std::function<void()>& reload, const Agent& agent,
              CertificateWatch& certificates, const Log& log) {
  constexpr timespec kLooksEvery{.tv_sec = 3'600, .tv_nsec = 0};
  while (!agent.ending()) {
    const int signal = sigtimedwait(&signals, nullptr, &kLooksEvery);
    certificates.Look();
    if (signal == SIGTERM || signal == SIGINT) {
      log(LogLevel::kInfo, "stopping", {{"signal", int64_t{signal}}});
      return;
    }
    if (signal == SIGHUP) reload();
  }
}

int Serve(const Flags& flags, const sigset_t& signals) {
  const SystemClock clock;
  const auto server =
      transport::ParseServerAddress(flags.server, !flags.ca_file.empty(), "--server");
  if (!server.ok()) return Refuse(server.error(), kInvalid);
  const auto credentials = transport::MakeChannelCredentials(*server, TlsOf(flags), clock.Now());
  if (!credentials.ok()) return Refuse(credentials.error(), CodeOf(credentials.error()));
  const Result<Site> site = ReadSite(flags.site);
  if (!site.ok()) return Refuse(site.error(), kInvalid);
  const Result<std::string> api_key = ReadKeyFile(flags.key_file);
  if (!api_key.ok()) return Refuse(api_key.error(), kInvalid);
  const auto state = StateFolder::Open({flags.state, {}}, site->provider, site->cluster);
  if (!state.ok()) return Refuse(state.error(), kStateUnusable);

  const Log log = MakeJsonLog(*ParseLogLevel(flags.log_level));
  const auto records = (*state)->List();
  if (!records.ok()) return Refuse(records.error(), kStateUnusable);
  log(LogLevel::kInfo, "starting",
      {{"version", std::string(kVersion)},
       {"provider", site->provider.str()},
       {"cluster", site->cluster.str()},
       {"server", flags.server},
       {"nodes", static_cast<int64_t>(site->nodes.size())},
       {"enactments", static_cast<int64_t>(records->enactments.size())}});
  for (const std::string& unreadable : records->unreadable) {
    log(LogLevel::kError,
        "a record cannot be read, so orders that it may matter for wait: bring it back from a "
        "copy, "
        "or, if nothing of its allocation runs any more, move it out of the folder",
        {{"cause", unreadable}});
  }

  CertificateWatch certificates(clock, log);
  MeetOwnCertificate(flags, clock.Now(), certificates);
  certificates.Look();
  StaticAdapter adapter(*site, {.site_file = flags.site,
                                .health_folder = (*state)->health_folder(),
                                .steady_ms = SteadyMs,
                                .log = log});
  GrpcConnection connection({.server = *server,
                             .credentials = *credentials,
                             .api_key = *api_key,
                             .provider = site->provider,
                             .cluster = site->cluster,
                             .gpu_model = site->gpu_model,
                             .on_server_certificate = [&](const std::string& certificate) {
                               const auto expire_time = transport::ExpireTimeOf(certificate);
                               if (expire_time) certificates.Meet("server", *expire_time);
                               certificates.Look();
                             }});
  SystemIdSource ids;
  Agent agent(adapter, **state, connection,
              {.clock = clock, .steady_ms = SteadyMs, .ids = ids, .log = log},
              {.seed = MintSeed()});
  // An ending wakes the wait for signals by one of its own.
  AgentThreads threads(agent, [pid = getpid()] { kill(pid, SIGUSR1); });
  const auto reload = [&] {
    if (const Status reloaded = adapter.Reload(); reloaded.ok()) {
      log(LogLevel::kInfo, "the site file was read again", {});
      threads.WakeReports();
    } else {
      log(LogLevel::kError, "the site file was not taken; the old one stays in force",
          {{"cause", Describe(reloaded.error())}});
    }
    if (!server->encrypted) return;
    const auto renewed = transport::MakeChannelCredentials(*server, TlsOf(flags), clock.Now());
    if (renewed.ok()) {
      connection.Renew(*renewed);
      log(LogLevel::kInfo, "the certificates were read again", {});
      MeetOwnCertificate(flags, clock.Now(), certificates);
    } else {
      log(LogLevel::kError, "the certificates were not taken; the old ones stay in use",
          {{"cause", Describe(renewed.error())}});
    }
  };
  AwaitEnd(signals, reload, agent, certificates, log);
  threads.Stop();
  const std::optional<Ending> ending = agent.ending();
  if (!ending) {
    log(LogLevel::kInfo, "stopped", {});
    return kStopped;
  }
  const bool superseded = ending->cause == Ending::Cause::kSuperseded;
  log(LogLevel::kError,
      superseded ? "superseded: a newer agent has taken over this cluster"
                 : "refused: the server does not accept this agent",
      {{"cause", ending->message}});
  return superseded ? kSuperseded : kRefused;
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app(
      "Runs at a provider, one a cluster: tells the national pool about its nodes, and "
      "hands them over and takes them back as the pool orders.",
      "allot-agent");
  app.set_version_flag("--version", std::string("allot-agent ") + kVersion);
  app.footer(kFooter);
  app.add_option("--server", flags.server,
                 "The server, HOST:PORT, or several with commas; TLS, but not on this machine")
      ->required();
  app.add_option("--site", flags.site, "The site file: which nodes the cluster has")->required();
  app.add_option("--state", flags.state, "The agent's own folder; made when it is missing")
      ->required();
  app.add_option("--key-file", flags.key_file, "The provider's API key, mode 0600")->required();
  app.add_option("--ca-file", flags.ca_file,
                 "PEM of the authority that the server's certificate is of; without it the "
                 "machine's own are believed");
  app.add_option("--certificate", flags.certificate_file, "PEM of the provider's certificate");
  app.add_option("--certificate-key", flags.certificate_key_file, "PEM of its key, mode 0600");
  app.add_option("--log-level", flags.log_level, "debug, info, warn or error")
      ->capture_default_str()
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kStopped : kInvalid;
  }

  // Blocked before any thread starts, so that all of them leave signals to AwaitEnd.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return Serve(flags, signals);
}

}  // namespace
}  // namespace allot::agent

int main(int argc, char** argv) {
  try {
    return allot::agent::Main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "allot-agent: " << error.what() << "\n";
    return allot::agent::kUnexpected;
  }
}
