#include "cli/connection.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "allot/transport/channel_credentials.h"
#include "cli/login_store.h"
#include "cli/text.h"

namespace allot::cli {
namespace {

constexpr const char* kKeyPath = "/keys/operator.key";
constexpr const char* kAddressPath = "/server.address";
constexpr std::size_t kFileBytesMax = 4096;

struct FileText {
  std::string text;
  int error = 0;
};

/// The first line, without blanks around it.
FileText ReadLine(const std::string& path) {
  FileText file;
  errno = 0;
  std::ifstream stream(path);
  if (!stream) {
    file.error = errno != 0 ? errno : ENOENT;
    return file;
  }
  std::getline(stream, file.text);
  if (file.text.size() > kFileBytesMax) file.text.clear();
  const auto first = file.text.find_first_not_of(" \t\r\n");
  const auto last = file.text.find_last_not_of(" \t\r\n");
  file.text = first == std::string::npos ? "" : file.text.substr(first, last - first + 1);
  return file;
}

Failure NoKey(std::string message) {
  Failure failure = FailureOf(StateError(Reason::kCredentialMissing, std::move(message)));
  failure.advice =
      "Log in with 'allot login', name a key with --key-file or ALLOT_KEY, or the folder of a "
      "local "
      "server with --data-dir; the ministry makes keys with 'allot keys create'.";
  return failure;
}

/// A key in a place that was named.
Outcome<std::string> KeyFrom(const std::string& path, const std::string& named_by) {
  const FileText file = ReadLine(path);
  if (file.error != 0) {
    // strerror's words are fixed and this program has one thread by then.
    return NoKey(named_by + " names " + path + ", which cannot be read: " +
                 std::strerror(file.error));  // NOLINT(concurrency-mt-unsafe)
  }
  if (file.text.empty()) return NoKey(named_by + " names " + path + ", which holds no key");
  return file.text;
}

std::vector<std::string> UsualFolders(const Environment& environment) {
  std::vector<std::string> folders = {"./allot-data"};
  if (const auto home = environment.variable("HOME"))
    folders.push_back(*home + "/.local/share/allot");
  folders.emplace_back("/var/lib/allot");
  return folders;
}

Outcome<std::string> FindKey(const ConnectionFlags& flags, const std::string& server,
                             const Environment& environment) {
  if (!flags.key_file.empty()) return KeyFrom(flags.key_file, "--key-file");
  if (!flags.data_dir.empty()) return KeyFrom(flags.data_dir + kKeyPath, "--data-dir");
  if (const auto key = environment.variable("ALLOT_KEY")) return *key;
  if (const auto path = environment.variable("ALLOT_KEY_FILE")) {
    return KeyFrom(*path, "ALLOT_KEY_FILE");
  }
  if (const auto folder = environment.variable("ALLOT_DATA_DIR")) {
    return KeyFrom(*folder + kKeyPath, "ALLOT_DATA_DIR");
  }
  const auto token = TokenFor(server, environment);
  if (!token.ok()) return token.failure();
  if (*token) return **token;
  std::vector<std::string> looked = {"--key-file",     "--data-dir",     "ALLOT_KEY",
                                     "ALLOT_KEY_FILE", "ALLOT_DATA_DIR", "a login for " + server};
  for (const std::string& folder : UsualFolders(environment)) {
    const std::string path = folder + kKeyPath;
    const FileText file = ReadLine(path);
    if (file.error == 0 && !file.text.empty()) return file.text;
    // One that is there and closed to us is the likely answer to "why does it not work".
    if (file.error == EACCES) return KeyFrom(path, "the folder of a local server");
    looked.push_back(path);
  }
  return NoKey("found no API key; looked at " + Join(looked, ", "));
}

std::string FindServer(const ConnectionFlags& flags, const Environment& environment) {
  if (!flags.server.empty()) return flags.server;
  std::vector<std::string> folders;
  if (!flags.data_dir.empty()) {
    folders = {flags.data_dir};
  } else if (const auto server = environment.variable("ALLOT_SERVER")) {
    return *server;
  } else if (const auto folder = environment.variable("ALLOT_DATA_DIR")) {
    folders = {*folder};
  } else {
    folders = UsualFolders(environment);
  }
  for (const std::string& folder : folders) {
    const FileText file = ReadLine(folder + kAddressPath);
    if (file.error == 0 && !file.text.empty()) return file.text;
  }
  return kDefaultServer;
}

/// What a flag names, or else a variable; with the name that it is known by.
transport::PemFile FindFile(const std::string& flag, const std::string& value,
                            const std::string& variable, const Environment& environment) {
  if (!value.empty()) return {.field = flag, .path = value};
  const auto path = environment.variable(variable);
  return {.field = path ? variable : flag, .path = path.value_or("")};
}

}  // namespace

Outcome<transport::ServerAddress> FindServerAddress(const ConnectionFlags& flags,
                                                    const Environment& environment) {
  const transport::PemFile ca = FindFile("--ca-file", flags.ca_file, "ALLOT_CA_FILE", environment);
  const auto server =
      transport::ParseServerAddress(FindServer(flags, environment), !ca.path.empty(), "--server");
  if (!server.ok()) return FailureOf(server.error());
  return *server;
}

Outcome<Connection> FindConnection(const ConnectionFlags& flags, const Environment& environment) {
  const auto server = FindServerAddress(flags, environment);
  if (!server.ok()) return server.failure();
  const Outcome<std::string> key = FindKey(flags, server->target, environment);
  if (!key.ok()) return key.failure();
  for (const char c : *key) {
    if (c <= ' ' || c > '~') return NoKey("the API key holds characters that no key has");
  }
  const transport::ClientTls tls{
      .ca = FindFile("--ca-file", flags.ca_file, "ALLOT_CA_FILE", environment),
      .certificate =
          FindFile("--certificate", flags.certificate_file, "ALLOT_CERTIFICATE", environment),
      .key = FindFile("--certificate-key", flags.certificate_key_file, "ALLOT_CERTIFICATE_KEY",
                      environment)};
  auto credentials = transport::MakeChannelCredentials(*server, tls, environment.clock.Now());
  if (!credentials.ok()) return FailureOf(credentials.error());
  return Connection{.server = *server, .credentials = *std::move(credentials), .key = *key};
}

}  // namespace allot::cli
