#include "apps/allotd/serve.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>
#include <utility>

#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>

#include "allot/backup/backup.h"
#include "allot/base/clock.h"
#include "allot/base/random.h"
#include "allot/control/context.h"
#include "allot/control/planner.h"
#include "allot/control/scheduler_loop.h"
#include "allot/replay/refused_passes.h"
#include "allot/rpc/certificate_expiry.h"
#include "allot/rpc/server.h"
#include "allot/rpc/server_tls.h"
#include "allot/store/private_cluster.h"
#include "allot/store/store.h"
#include "allot/transport/certificate.h"
#include "apps/allotd/audit_key.h"
#include "apps/allotd/backup_metrics.h"
#include "apps/allotd/clock_watch.h"
#include "apps/allotd/cluster_watch.h"
#include "apps/allotd/data_folder.h"
#include "apps/allotd/descriptors.h"
#include "apps/allotd/json_log.h"
#include "apps/allotd/metrics.h"
#include "apps/allotd/metrics_endpoint.h"
#include "apps/allotd/named_files.h"
#include "apps/allotd/operator_key.h"
#include "apps/allotd/self_probe.h"
#include "apps/allotd/signals.h"
#include "apps/allotd/token_keys.h"

namespace allot::allotd {
namespace {

constexpr int kFailed = 1;
constexpr int kRefused = 2;
/// Connections to the database that no call's worker has: who calls is found out, submissions are
/// committed, watches are fed (by two threads), the lead is held and passes are made, scrapes are
/// answered and clocks compared through them, however busy the workers are.
constexpr int kConnectionsKept = 7;
/// With fewer a question that takes long stops agents' reports.
constexpr int kWorkersFew = 4;
/// For PostgreSQL to recover from a crash: one that is ended in the middle begins anew. A little
/// less than allotd.service waits for, so that the end of its log is told.
constexpr std::chrono::minutes kRecoveryPatience{14};
/// What an end may take beside the calls under way: the pass, and PostgreSQL's shutdown (30 s, then
/// 10 s more).
constexpr std::chrono::seconds kEndPatience{60};

int64_t SteadyMicros() {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  return duration_cast<microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// A supervisor does not try again what was refused: that is for what was given, which is wrong
/// whatever becomes of the machine. How things are may pass: a folder in use or not mounted yet, a
/// full disk, an address that is not there yet, a clock that is not set.
int RefuseToStart(const Error& error) {
  // The reason's own advice is for callers.
  const bool no_database = error.reason == Reason::kStoreUnavailable;
  LogError("refused_to_start", error,
           no_database ? "Nothing was changed: start it again when that is mended." : "");
  const bool about_what_was_given = !error.field.empty();
  return error.reason == Reason::kConfigInvalid && about_what_was_given ? kRefused : kFailed;
}

/// Where a folder for refused passes may be: the server's own, or what systemd gives it
/// (StateDirectory=). Empty: nowhere.
std::string FolderForRefused(const std::string& data_dir) {
  const char* const given = std::getenv("STATE_DIRECTORY");  // NOLINT(concurrency-mt-unsafe)
  const std::string parent = data_dir.empty() && given != nullptr ? given : data_dir;
  return parent.empty() ? "" : parent + "/refused";
}

/// The server's own database, or the one it was given; its schema is what this release needs.
class Database {
 public:
  static Result<Database> Open(const ServeOptions& options) {
    Database database;
    std::string& url = database.url_;
    url = options.database_url;
    if (!options.data_dir.empty()) {
      ALLOT_ASSIGN_OR_RETURN(database.cluster_,
                             StartCluster(options, database.ending_.get_token()));
      url = database.cluster_->url();
      // Nobody else has a say in a database of our own; a shared one is migrated by its operator.
      ALLOT_RETURN_IF_ERROR(store::Migrate(url));
    }
    ALLOT_ASSIGN_OR_RETURN(
        database.store_, store::OpenPostgres({.url = url,
                                              .connections = options.config.database_connections,
                                              .report = [](const std::string& own_words) {
                                                LogInfo("database_failed", {{"cause", own_words}});
                                              }}));
    return database;
  }

  store::Store& store() { return *store_; }
  const std::string& url() const { return url_; }
  /// Nothing when the database is somebody else's.
  store::PrivateCluster* cluster() { return cluster_.get(); }
  /// From now on nobody waits until a PostgreSQL that recovers is there.
  void PrepareToEnd() { ending_.request_stop(); }

 private:
  static Result<std::unique_ptr<store::PrivateCluster>> StartCluster(const ServeOptions& options,
                                                                     const std::stop_token& stop) {
    const Config::Backup& backup = options.config.backup;
    store::PrivateCluster::Options cluster{
        .data_dir = options.data_dir, .start_patience = kRecoveryPatience, .stop = stop};
    if (!backup.folder.empty()) {
      ALLOT_RETURN_IF_ERROR(RequireNothingToRestore(options.data_dir, backup.folder));
      const std::string log = backup::LogFolderOf(backup.folder);
      if (const Status prepared = backup::PrepareLogFolder(log); !prepared.ok()) {
        // The nation does not wait for an archive that is not mounted or full: PostgreSQL keeps
        // what it cannot archive and tries again. A setting that never worked is refused.
        if (IsNew(options.data_dir)) return prepared.error();
        LogWarning("backup_folder_unusable", {{"cause", Describe(prepared.error())}});
      }
      cluster.settings = backup::ArchiveSettings(log, backup.archive_timeout);
    }
    return store::PrivateCluster::Start(cluster);
  }

  static bool IsNew(const std::string& data_dir) {
    std::error_code problem;
    return !std::filesystem::exists(data_dir + "/postgres", problem);
  }

  /// Started by mistake on an empty folder, after a loss say, it would serve a nation without
  /// anybody, whose agents are told that their clusters do not exist.
  static Status RequireNothingToRestore(const std::string& data_dir, const std::string& folder) {
    std::error_code problem;
    if (!IsNew(data_dir) || (!std::filesystem::exists(folder, problem) && !problem)) return Ok{};
    const auto backups = backup::ListBackups(folder);
    if (!backups.ok()) {
      return StateError(Reason::kConfigInvalid,
                        "The data folder " + data_dir + " is new, and whether " + folder +
                            " holds backups of a database that was served before cannot be seen: " +
                            backups.error().message +
                            " Mend it, or move it elsewhere, and restore first if it does "
                            "(docs/runbooks/restore-after-loss.md).");
    }
    if (backups->empty()) return Ok{};
    return StateError(Reason::kConfigInvalid,
                      "The data folder " + data_dir + " is new, and " + folder +
                          " holds backups of a database that was served before: restore it first "
                          "(docs/runbooks/restore-after-loss.md), or give this one a backup.folder "
                          "of its own.");
  }

  std::string url_;
  std::stop_source ending_;
  std::unique_ptr<store::PrivateCluster> cluster_;
  std::unique_ptr<store::Store> store_;
};

/// Everything that serves, in the order it depends on each other; destroyed in the opposite one.
class Serving {
 public:
  Serving(const ServeOptions& options, Database& database)
      : config_(options.config),
        data_dir_(options.data_dir),
        policies_(config_.policy),
        context_{database.store(), clock_, ids_, policies_, config_.second_person, nullptr},
        planner_(context_),
        refused_passes_(FolderForRefused(data_dir_)),
        registry_(std::make_shared<prometheus::Registry>()),
        scheduler_metrics_(*registry_),
        loop_(context_, planner_, LoopOptions(database.cluster() != nullptr)),
        present_metrics_(std::make_shared<PresentMetrics>(context_, planner_, loop_)),
        backup_metrics_(
            std::make_shared<BackupMetrics>(database.url(), config_.backup.folder, clock_)) {
    if (database.cluster() != nullptr) watch_.emplace(*database.cluster());
  }
  /// Also when something failed after Start.
  ~Serving() { End(0); }

  const control::Context& context() const { return context_; }

  Status Start() {
    clock_watch_.emplace(context_.store, clock_, SteadyMicros, *registry_);
    ALLOT_RETURN_IF_ERROR(LoadCertificates());
    ALLOT_RETURN_IF_ERROR(LoadAuditKey());
    ALLOT_RETURN_IF_ERROR(StartMetrics());
    StartTokens();
    RaiseDescriptorLimit(ServerOptions().descriptors_needed());
    // Before the first call: it may be judged by a published policy.
    ALLOT_RETURN_IF_ERROR(planner_.Read([](const control::PoolView&) {}));
    ALLOT_ASSIGN_OR_RETURN(server_, rpc::Server::Start(context_, planner_, ServerOptions()));
    context_.store.OnCommit([this](Revision) {
      loop_.Wake();
      server_->NotifyCommit();
    });
    loop_.Start();
    probe_.emplace(ProbeOptions(), *registry_);
    if (!config_.edge.empty()) edge_probe_.emplace(EdgeProbeOptions(), *registry_);
    return Ok{};
  }

  std::string policy_version() const { return policies_.At(clock_.Now())->version; }
  /// As clients on this machine are told it.
  std::string address() const { return (tls_ ? "https://" : "") + server_->address(); }
  std::string metrics_address() const { return metrics_ ? metrics_->address() : "off"; }

  /// On SIGHUP. One that cannot be used is said and not taken.
  void ReloadCertificates() {
    if (!tls_) return LogInfo("nothing_to_reload", {{"cause", "the server has no certificate"}});
    if (const Status reloaded = tls_->Reload(clock_.Now()); !reloaded.ok()) {
      return LogError("certificate_not_reloaded", reloaded.error());
    }
    ShowCertificate("certificate_reloaded");
  }

  /// The database of our own may be stopped from now on.
  void CeaseWatching() {
    if (watch_) watch_->Cease();
  }

  void Drain() { End(config_.drain_timeout.count * 1'000); }

 private:
  /// A pass and a call tell each other's side of their commits: both sides stay until both have
  /// ended.
  void End(int64_t grace_ms) {
    if (!server_) return;
    // From here on new connections are not answered, as they should not be.
    probe_.reset();
    edge_probe_.reset();
    server_->Drain(grace_ms);
    loop_.Stop();
  }

  control::SchedulerLoop::Options LoopOptions(bool only_server) {
    control::SchedulerLoop::Options options;
    // The folder's lock proves that the server before us is dead: its lease need not be waited for.
    options.holder = only_server ? "private-cluster" : "server-" + ids_.Mint(12);
    options.lease = config_.leader_lease;
    options.poll_ms = config_.scheduler_poll_ms;
    options.steady_micros = SteadyMicros;
    options.is_sure_of_time = [this] { return clock_.is_sure(); };
    options.on_lead = [](int64_t epoch) { LogInfo("leading", {{"epoch", epoch}}); };
    options.on_deposed = [](int64_t epoch) { LogInfo("leading_ended", {{"epoch", epoch}}); };
    options.on_pass = [this](const control::PassReport& report) { OnPass(report); };
    options.on_led = [this](Instant time) { scheduler_metrics_.OnLed(time); };
    options.on_error = [this](const Error& error) { OnPassFailed(error); };
    options.on_chore_failed = [this](const std::string& chore, const Error& error) {
      scheduler_metrics_.OnChoreFailed(chore);
      LogError(chore + "_failed", error);
    };
    options.sign_audit_every = config_.audit.sign_every;
    options.on_audit_signed = [this](Instant time) { ShowAuditSigned(time); };
    return options;
  }

  rpc::Server::Options ServerOptions() const {
    rpc::Server::Options options;
    options.address = config_.listen;
    options.tls = tls_;
    options.tokens = tokens_;
    options.reflection = config_.reflection;
    options.call_memory_bytes = static_cast<std::size_t>(config_.call_memory_mib) * 1024 * 1024;
    options.workers = std::max(1, config_.database_connections - kConnectionsKept);
    options.workers_a_party = std::max(1, options.workers / 4);
    if (options.workers < kWorkersFew) {
      LogWarning("connections_few",
                 {{"database_connections", config_.database_connections},
                  {"calls_at_a_time", options.workers},
                  {"advice", "Set server.database_connections to " +
                                 std::to_string(kConnectionsKept + kWorkersFew) +
                                 " or more: " + std::to_string(kConnectionsKept) +
                                 " of them serve what is nobody's call."}});
    }
    options.poll_ms = config_.scheduler_poll_ms;
    options.steady_micros = SteadyMicros;
    options.log = spdlog::default_logger();
    options.registry = registry_;
    return options;
  }

  /// systemd's watchdog, where there is one, restarts a server that does not answer for long: it is
  /// told of answers four times in the time that it waits.
  SelfProbe::Options ProbeOptions() const {
    SelfProbe::Options options{.target = server_->address(), .encrypted = tls_ != nullptr};
    uint64_t watchdog_micros = 0;
    if (sd_watchdog_enabled(0, &watchdog_micros) > 0) {
      options.period = std::min(options.period, std::chrono::milliseconds(watchdog_micros / 4'000));
      options.patience = std::min(options.patience, options.period);
      options.on_answer = [] { sd_notify(0, "WATCHDOG=1"); };
    }
    return options;
  }

  SelfProbe::Options EdgeProbeOptions() const {
    return {.way = SelfProbe::Way::kThroughTheEdge,
            .target = config_.edge,
            .encrypted = true,
            .on_certificate = [registry = registry_](const std::string& certificate) {
              const auto expire_time = transport::ExpireTimeOf(certificate);
              if (expire_time) rpc::ShowCertificateExpiry(*registry, "edge_front", *expire_time);
            }};
  }

  void OnPass(const control::PassReport& report) {
    refused_passes_.EndRow();
    scheduler_metrics_.OnPass(report);
    const control::Applied& applied = report.applied;
    if (applied.reserved + applied.planned + applied.expired + applied.skipped == 0) return;
    LogInfo("pass", {{"epoch", report.epoch},
                     {"pending", report.pending},
                     {"plan_micros", report.plan_micros},
                     {"apply_micros", report.apply_micros},
                     {"reserved", applied.reserved},
                     {"planned", applied.planned},
                     {"promised", applied.promised},
                     {"slipped", applied.slipped},
                     {"preempted", applied.preempted},
                     {"expired", applied.expired},
                     {"skipped", applied.skipped},
                     {"left", applied.left}});
  }

  void OnPassFailed(const Error& error) {
    scheduler_metrics_.OnError(error);
    LogError("pass_failed", error);
    if (const auto refused = planner_.TakeRefused()) KeepRefused(*refused);
    if (error.reason == Reason::kStoreUnavailable && watch_) watch_->LookNow();
  }

  /// Nothing was written of the pass; what it was decided from must not be lost.
  void KeepRefused(const control::Pass& pass) {
    const auto kept = refused_passes_.Keep(pass.snapshot, *pass.policy, pass.plan);
    if (!kept.ok()) LogError("refused_pass_not_recorded", kept.error());
    LogInfo("pass_refused", {{"revision", pass.snapshot.revision},
                             {"refused_in_a_row", refused_passes_.in_a_row()},
                             {"recording_file", kept.ok() ? kept->value_or("") : ""}});
  }

  /// Without an issuer no token is good, and nothing is fetched.
  void StartTokens() {
    if (config_.identity.issuers.empty()) return;
    key_fetches_.emplace(clock_, *registry_, config_.identity.issuers);
    tokens_ = std::make_shared<oidc::TokenVerifier>(
        clock_, oidc::TokenVerifier::Options{.issuers = config_.identity.issuers,
                                             .leeway = config_.identity.leeway,
                                             .steady_micros = SteadyMicros,
                                             .on_fetch = [this](const oidc::KeyFetch& fetch) {
                                               key_fetches_->Note(fetch);
                                             }});
  }

  Status LoadAuditKey() {
    if (config_.audit.signing_key.empty()) return Ok{};
    ALLOT_ASSIGN_OR_RETURN(audit_key_, AuditKey::Read(config_.audit.signing_key));
    context_.audit_signer = audit_key_.get();
    LogInfo("audit_signed_with", {{"key", audit_key_->id()}});
    // Never is long ago: the alarm on its age needs a number.
    ShowAuditSigned(Instant{0});
    prometheus::BuildGauge()
        .Name("allot_audit_sign_every_seconds")
        .Help("How often whoever leads signs the audit.")
        .Register(*registry_)
        .Add({})
        .Set(static_cast<double>(config_.audit.sign_every.count));
    return Ok{};
  }

  void ShowAuditSigned(Instant time) {
    prometheus::BuildGauge()
        .Name("allot_audit_signed_timestamp_seconds")
        .Help("When every entry of the audit was last found or made signed; on who led then.")
        .Register(*registry_)
        .Add({})
        .Set(static_cast<double>(time.seconds()));
  }

  Status LoadCertificates() {
    const Config::Tls& tls = config_.tls;
    if (tls.certificate.empty()) return Ok{};
    ALLOT_ASSIGN_OR_RETURN(tls_, rpc::ServerTls::Load(FilesOf(tls), clock_.Now()));
    ShowCertificate("certificate_loaded");
    return Ok{};
  }

  void ShowCertificate(std::string_view event) {
    const Instant expire_time = tls_->expire_time();
    LogInfo(event, {{"subject", tls_->subject()}, {"expires", FormatRfc3339(expire_time)}});
    rpc::ShowCertificateExpiry(*registry_, "server", expire_time);
  }

  Status StartMetrics() {
    if (config_.metrics_listen == "off") return Ok{};
    ALLOT_ASSIGN_OR_RETURN(metrics_, MetricsEndpoint::Listen(config_.metrics_listen));
    metrics_->Add(registry_);
    metrics_->Add(present_metrics_);
    metrics_->Add(backup_metrics_);
    return Ok{};
  }

  const Config config_;
  const std::string data_dir_;
  SystemClock machine_clock_;
  control::ServiceClock clock_{machine_clock_, SteadyMicros};
  SystemIdSource ids_;
  control::PolicyBook policies_;
  std::unique_ptr<AuditKey> audit_key_;
  control::Context context_;
  control::Planner planner_;
  replay::RefusedPasses refused_passes_;
  std::shared_ptr<prometheus::Registry> registry_;
  SchedulerMetrics scheduler_metrics_;
  std::optional<ClusterWatch> watch_;
  std::optional<ClockWatch> clock_watch_;
  control::SchedulerLoop loop_;
  std::shared_ptr<PresentMetrics> present_metrics_;
  std::shared_ptr<BackupMetrics> backup_metrics_;
  std::shared_ptr<rpc::ServerTls> tls_;
  std::optional<KeyFetchLog> key_fetches_;
  std::shared_ptr<oidc::TokenVerifier> tokens_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<MetricsEndpoint> metrics_;
  std::optional<SelfProbe> probe_;
  std::optional<SelfProbe> edge_probe_;
};

/// The unit's time to stop is for the drain_timeout that nobody has set.
void TellSupervisorOfTheEnd(Seconds drain_timeout) {
  const auto needed = std::chrono::seconds(drain_timeout.count) + kEndPatience;
  const std::string text =
      "STOPPING=1\nEXTEND_TIMEOUT_USEC=" +
      std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(needed).count());
  sd_notify(0, text.c_str());
}

Status Run(const ServeOptions& options, const Signals& signals) {
  // Before PostgreSQL is started for nothing, again and again: each of its ends archives a segment.
  // A database of others may know the time better than this machine, and is asked for it first.
  if (!options.data_dir.empty()) {
    ALLOT_RETURN_IF_ERROR(RequireUsableKeys(options.config, SystemClock().Now()));
  }
  ALLOT_ASSIGN_OR_RETURN(Database database, Database::Open(options));
  Serving serving(options, database);
  std::optional<DataFolder> folder;
  if (!options.data_dir.empty()) {
    folder.emplace(options.data_dir);
    ALLOT_RETURN_IF_ERROR(EnsureOperatorKey(serving.context(), *folder));
  }
  ALLOT_RETURN_IF_ERROR(serving.Start());
  if (folder) ALLOT_RETURN_IF_ERROR(folder->WriteServerAddress(serving.address()));
  LogInfo("serving", {{"listen", serving.address()},
                      {"metrics_listen", serving.metrics_address()},
                      {"policy", serving.policy_version()}});
  sd_notify(0, "READY=1");

  const int signal = signals.AwaitEnd([&] { serving.ReloadCertificates(); });
  TellSupervisorOfTheEnd(options.config.drain_timeout);
  LogInfo("draining", {{"signal", signal}});
  database.PrepareToEnd();
  // Who cannot wait still gets an orderly end of the database.
  const std::jthread impatience = signals.EndAtOnceOnTheNext([&] {
    serving.CeaseWatching();
    if (database.cluster() != nullptr) static_cast<void>(database.cluster()->Stop());
  });
  if (folder) folder->RemoveServerAddress();
  serving.Drain();
  return Ok{};
}

}  // namespace

int Serve(const ServeOptions& options) {
  rpc::AllowOnlyTls13();
  LogAsJson(options.config.log_level);
  const Signals signals;
  const Status status = Run(options, signals);
  if (!status.ok()) return RefuseToStart(status.error());
  LogInfo("stopped", {});
  return 0;
}

}  // namespace allot::allotd
