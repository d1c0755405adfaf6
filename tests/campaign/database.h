#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "allot/store/private_cluster.h"
#include "support/temp_dir.h"

namespace allot::campaign {

/// The PostgreSQL that all servers share, and whoever starts it again when it dies.
class Database {
 public:
  virtual ~Database() = default;
  virtual std::string url() const = 0;
  /// The process of the primary; 0 when there is none now.
  virtual pid_t Postmaster() = 0;
  /// Sees to it that what died is started again, where nobody else does.
  virtual void Mend() = 0;
  /// The process of the database that works for a server; 0 when none does now.
  pid_t AnyBackend(uint64_t draw);
};

/// One of our own, fsync on; kept by this process as a server keeps its own.
class PrivateDatabase final : public Database {
 public:
  explicit PrivateDatabase(const std::string& data_dir);
  std::string url() const override { return cluster_->url(); }
  pid_t Postmaster() override;
  void Mend() override;

 private:
  const std::string data_dir_;
  std::unique_ptr<store::PrivateCluster> cluster_;
};

/// Three machines under Patroni, brought up by deploy/ha/local before; this process runs within
/// reach of them.
class PatroniDatabase final : public Database {
 public:
  PatroniDatabase(std::string script, std::string dir);
  std::string url() const override { return url_; }
  pid_t Postmaster() override;
  /// Patroni starts PostgreSQL; this starts Patroni and etcd, and joins what was cut.
  void Mend() override;

  /// "db1"; empty when nobody leads.
  std::string Leader() const;
  /// Whether one stands by that has all that was acknowledged.
  bool HasStandby() const { return !Do({"standby"}).empty(); }
  /// One that does not lead.
  std::string Standby(uint64_t draw) const;
  /// Runs a command of deploy/ha/local; what it printed.
  std::string Do(std::vector<std::string> arguments) const;
  /// Of "patroni" or "etcd" on a node; 0 when it does not run.
  pid_t Program(const std::string& node, const std::string& name) const;
  pid_t PostmasterOf(const std::string& node) const;
  /// Whether its PostgreSQL heeds `fsync-fails` in a node's folder (tests/campaign/preload).
  bool HasPreload() const;
  std::string FolderOf(const std::string& node) const { return dir_ + "/" + node; }

 private:
  const std::string script_;
  const std::string dir_;
  std::string url_;
};

/// The processes whose parent it is.
std::vector<pid_t> ChildrenOf(pid_t parent);

}  // namespace allot::campaign
