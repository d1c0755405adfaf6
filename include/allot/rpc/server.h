#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <prometheus/registry.h>
#include <spdlog/logger.h>

#include "allot/base/result.h"
#include "allot/control/context.h"
#include "allot/control/planner.h"
#include "allot/oidc/token_verifier.h"
#include "allot/rpc/server_tls.h"

namespace allot::rpc {

/// The API allot.v1 over gRPC. Every call has a principal, made from its API key; health alone, and
/// reflection when switched on, answer without one.
///
/// A call is answered on a bounded pool of workers, before which every party has a line of its own:
/// when a line, or all together, are full, a call is refused as overloaded at once; nobody waits
/// for more than one call of each other party, and nothing grows with the load. Watches and orders
/// awaited hold no worker, and are counted for themselves. Messages that are not whole yet share a
/// bounded memory: when it is full, some of them are cut.
class Server {
 public:
  struct Options {
    /// "127.0.0.1:7600", "unix:/run/allot.sock"; port 0 takes a free one.
    std::string address;
    /// None: plain text, on a loopback address or a Unix socket only. With authorities for clients,
    /// a provider's calls need its certificate beside its key.
    std::shared_ptr<ServerTls> tls;
    /// Judges people's tokens; none: no token is good.
    std::shared_ptr<oidc::TokenVerifier> tokens;
    bool reflection = false;

    int workers = 8;
    /// Workers that one institute, provider or other key has at a time.
    int workers_a_party = 2;
    int queued_calls_max = 1024;
    /// Of one party; calls with keys that were never found good share one line.
    int queued_calls_a_party_max = 128;
    /// What gRPC may hold for all calls and connections together. Beyond it calls are ended at
    /// random, and new connections refused.
    std::size_t call_memory_bytes = std::size_t{256} * 1024 * 1024;
    int streams_per_connection_max = 100;
    /// Who has connected and not spoken TLS and HTTP/2 by then is let go.
    int handshake_ms = 10'000;
    /// Who has no call under way for so long is, too. The edge lets go of its connections sooner.
    int idle_connection_ms = 300'000;
    int watches_max = 4096;
    /// Of one key, so that nobody shuts the others out.
    int watches_per_key_max = 128;
    /// Of one institute or provider: it may make itself as many keys as it likes.
    int watches_a_party_max = 256;
    int watch_threads = 2;
    /// A watcher that takes nothing for so long is dropped as watch_too_slow.
    int64_t watch_stall_ms = 10'000;
    /// A watch without news says so after this long, and its key is checked again.
    int64_t watch_progress_ms = 15'000;
    /// Calls that wait for orders, of all providers together and of one. Each agent has one.
    int awaiting_calls_max = 1024;
    int awaiting_calls_a_party_max = 64;
    /// How soon the commits of another server are noticed; this one's are at once.
    int64_t poll_ms = 500;

    /// A steady clock in microseconds, for durations only.
    std::function<int64_t()> steady_micros;
    /// One JSON object a call; none: no log.
    std::shared_ptr<spdlog::logger> log;
    /// Counters and histograms by method; none: no metrics.
    std::shared_ptr<prometheus::Registry> registry;

    /// How many this process may need: behind the edge every call has a connection of its own, and
    /// waits to be identified, for a worker, or for a commit.
    uint64_t descriptors_needed() const {
      constexpr int kDatabaseFilesAndSpare = 1'024;
      return static_cast<uint64_t>(watches_max + awaiting_calls_max + 3 * queued_calls_max +
                                   kDatabaseFilesAndSpare);
    }
  };

  /// Listens when it returns. `context` and `planner` outlive the server. config_invalid when the
  /// address cannot be had.
  static Result<std::unique_ptr<Server>> Start(const control::Context& context,
                                               control::Planner& planner, Options options);
  /// Drains without grace if that was not done.
  virtual ~Server() = default;

  /// Where it listens, with the port it got.
  virtual const std::string& address() const = 0;
  /// Something was committed: watches and awaited orders look again. Never blocks.
  virtual void NotifyCommit() = 0;
  /// What gRPC health says from now on, for load balancers.
  virtual void SetServing(bool serving) = 0;
  /// Says NOT_SERVING, refuses new calls as shutting_down, ends watches with shutting_down, answers
  /// awaited orders with none, and finishes what is in flight, for at most `grace_ms`; then cuts
  /// the rest. Calls that are gRPC's own, health watches say, are cut as soon as nothing else is
  /// left.
  virtual void Drain(int64_t grace_ms) = 0;
};

}  // namespace allot::rpc
