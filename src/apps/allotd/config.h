#pragma once

#include <string>
#include <string_view>

#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/control/context.h"
#include "allot/model/policy.h"
#include "apps/allotd/identity_config.h"

namespace allot::allotd {

/// Every setting of the server, with the values it has when nobody sets them. A file given with
/// --config changes some; a flag on the command line goes before the file.
struct Config {
  /// Files of PEM. Without the first two the API is served in plain text, on this machine only.
  struct Tls {
    std::string certificate;
    std::string key;
    /// Of those who sign providers' certificates; with it providers need one.
    std::string client_ca;
    /// Whose names count there: spiffe://TRUST_DOMAIN/provider/NAME.
    std::string trust_domain = "allot";
  };

  /// Of a server with a cluster of its own.
  struct Backup {
    /// Where its log is archived to, in wal/; empty: nowhere.
    std::string folder;
    /// A segment of the log that is not full is archived after this long.
    Seconds archive_timeout = Minutes(1);
  };

  /// What the audit is signed with.
  struct Audit {
    /// PEM, Ed25519; empty: nobody signs, and the audit is kept for good.
    std::string signing_key;
    Seconds sign_every = Hours(1);
  };

  /// Where the API is served; port 0 takes a free one.
  std::string listen = "127.0.0.1:8443";
  Tls tls;
  /// Where the world connects, if that is an edge; empty: it is not looked at.
  std::string edge;
  /// Where /metrics is served; "off" for nowhere.
  std::string metrics_listen = "127.0.0.1:9464";
  /// trace, debug, info, warn, error.
  std::string log_level = "info";
  /// Also the bound on transactions at the same time. Calls have all but a few of them.
  int database_connections = 15;
  /// What calls that are not whole yet may take together.
  int call_memory_mib = 256;
  /// Whether the API describes itself to anybody who asks: a stream holds a thread.
  bool reflection = false;
  /// How long calls under way may take to end after SIGTERM.
  Seconds drain_timeout{10};
  /// A leader silent for this long may be replaced by another server.
  Seconds leader_lease{3};
  /// How soon another server's commits are noticed.
  int scheduler_poll_ms = 500;
  control::CallsForTwo second_person;
  Backup backup;
  Audit audit;
  IdentityConfig identity;
  Policy policy = DefaultPolicy();
};

/// Reads the YAML of a configuration file. `file` is its name for messages. config_invalid names
/// file, line, setting, what stands there and what was expected; an unknown or repeated key is an
/// error, so that a misspelt setting cannot pass silently.
Result<Config> ParseConfig(std::string_view text, const std::string& file);
Result<Config> ReadConfig(const std::string& file);

/// "HOST:PORT" with a numeric port; "[::1]:PORT" for IPv6.
bool IsListenAddress(std::string_view text);
inline constexpr char kListenAddress[] = "HOST:PORT, such as 127.0.0.1:8443";
/// Plain text never leaves this machine: config_invalid for another address without a certificate.
Status CheckListen(const Config& config);
bool IsLogLevel(std::string_view text);

}  // namespace allot::allotd
