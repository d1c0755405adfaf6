#include "apps/allotd/named_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "allot/backup/backup.h"
#include "allot/transport/certificate.h"
#include "apps/allotd/audit_key.h"

namespace allot::allotd {
namespace {

namespace fs = std::filesystem;

Error Unusable(const std::string& folder, const std::string& expected) {
  return FieldError(Reason::kConfigInvalid, "backup.folder", folder,
                    expected + ": " + std::generic_category().message(errno));
}

bool May(const std::string& folder, int how) { return access(folder.c_str(), how) == 0; }

/// Whether another user made it, to archive to: PostgreSQL's, where others look after it.
bool IsOfAnotherUser(const std::string& folder) {
  struct stat status {};
  return stat(folder.c_str(), &status) == 0 && status.st_uid != geteuid();
}

/// The server makes what is missing.
Status CheckBackupFolder(const std::string& folder) {
  std::error_code unknown;
  if (!fs::exists(folder, unknown)) {
    fs::path parent = fs::path(folder).parent_path();
    while (!fs::exists(parent, unknown) && parent.has_relative_path()) {
      parent = parent.parent_path();
    }
    if (May(parent, W_OK | X_OK)) return Ok{};
    return Unusable(folder, "a folder that is there, or can be made in " + parent.string());
  }
  if (!fs::is_directory(folder, unknown)) {
    errno = ENOTDIR;
    return Unusable(folder, "a folder");
  }
  if (!May(folder, R_OK | X_OK)) return Unusable(folder, "a folder that can be read");
  const std::string log = backup::LogFolderOf(folder);
  if (!fs::exists(log, unknown)) {
    if (May(folder, W_OK)) return Ok{};
    return Unusable(folder, "one that wal can be made in");
  }
  if (May(log, W_OK | X_OK) || (IsOfAnotherUser(log) && May(log, R_OK | X_OK))) return Ok{};
  return Unusable(folder, "one whose wal can be written, or read where another archives");
}

}  // namespace

rpc::ServerTls::Files FilesOf(const Config::Tls& tls) {
  return {.certificate = {"server.tls.certificate", tls.certificate},
          .key = {"server.tls.key", tls.key},
          .client_ca = {"server.tls.client_ca", tls.client_ca},
          .trust_domain = tls.trust_domain};
}

Status RequireUsableKeys(const Config& config, Instant now) {
  if (!config.tls.certificate.empty()) {
    ALLOT_RETURN_IF_ERROR(rpc::ServerTls::Load(FilesOf(config.tls), now));
  }
  if (!config.audit.signing_key.empty()) {
    ALLOT_RETURN_IF_ERROR(AuditKey::Read(config.audit.signing_key));
  }
  return Ok{};
}

std::vector<Error> ProblemsOfNamedFiles(const Config& config, Instant now) {
  std::vector<Error> problems;
  const auto note = [&](const auto& looked_at) {
    if (!looked_at.ok()) problems.push_back(looked_at.error());
  };
  if (!config.tls.certificate.empty()) note(rpc::ServerTls::Load(FilesOf(config.tls), now));
  if (!config.audit.signing_key.empty()) note(AuditKey::Read(config.audit.signing_key));
  for (std::size_t i = 0; i < config.identity.issuers.size(); ++i) {
    const std::string& ca_file = config.identity.issuers[i].ca_file;
    if (ca_file.empty()) continue;
    note(transport::ReadAuthorities(
        {"identity.issuers[" + std::to_string(i) + "].ca_file", ca_file}));
  }
  if (!config.backup.folder.empty()) note(CheckBackupFolder(config.backup.folder));
  return problems;
}

}  // namespace allot::allotd
