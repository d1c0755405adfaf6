#include "cli/connection.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "allot/transport/channel_credentials.h"
#include "cli/login_store.h"
#include "cli/text.h"

namespace allot::cli {
namespace {

constexpr const char* kKeyPath = "/keys/operator.key";
constexpr const char* kAddressPath = "/server.address";
constexpr std::size_t kSecretBytesMax = 4096;

/// The first line, without blanks around it.
std::string FirstLine(std::string text) {
  text.resize(std::min(text.find('\n'), text.size()));
  const auto first = text.find_first_not_of(" \t\r");
  const auto last = text.find_last_not_of(" \t\r");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

/// Of a file of one line.
struct FileText {
  std::string text;
  /// Why it cannot be read.
  int error = 0;
  /// Others may read or write it.
  bool open_to_others = false;
};

FileText ReadLine(const std::string& path) {
  FileText file;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    file.error = errno;
    return file;
  }
  struct stat about {};
  if (::fstat(fd, &about) == 0) file.open_to_others = (about.st_mode & 0077U) != 0;
  std::array<char, kSecretBytesMax + 1> buffer{};
  // A pipe gives what it has bit by bit.
  for (ssize_t count = 1; count > 0 && file.text.size() < kSecretBytesMax + 2;) {
    count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0) file.error = errno;
    if (count > 0) file.text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  ::close(fd);
  file.text = FirstLine(std::move(file.text));
  if (file.text.size() > kSecretBytesMax) file.text.clear();
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
  if (file.open_to_others) {
    Failure failure =
        NoKey(named_by + " names " + path + ", which may be read or written by others");
    failure.advice =
        "chmod 600 it, and exchange the key ('allot keys rotate') if somebody may "
        "have read it.";
    return failure;
  }
  if (file.text.empty()) return NoKey(named_by + " names " + path + ", which holds no key");
  return file.text;
}

constexpr const char* kHere = "./allot-data";

/// Whether nobody but this user and root can have put something there.
bool IsOurs(const std::string& path) {
  const auto by_us = [](const struct stat& about) {
    return about.st_uid == ::geteuid() || about.st_uid == 0;
  };
  struct stat itself {};
  struct stat folder {};
  return ::lstat(path.c_str(), &itself) == 0 && by_us(itself) &&
         ::stat(path.c_str(), &folder) == 0 && by_us(folder) && (folder.st_mode & 0022U) == 0;
}

/// The usual folders, and what is in them. One that lies in whatever folder this program happens to
/// run in is somebody else's until it is known not to be.
class UsualFolders {
 public:
  explicit UsualFolders(const Environment& environment) : environment_(environment) {
    if (::access(kHere, F_OK) != 0 || IsOurs(kHere)) {
      folders_.emplace_back(kHere);
    } else {
      here_is_anothers_ = true;
    }
    if (const auto home = environment.variable("HOME")) {
      folders_.push_back(*home + "/.local/share/allot");
    }
    folders_.emplace_back("/var/lib/allot");
  }

  /// Of the first that names one.
  std::optional<std::string> Server() { return FirstServer(Looked()); }

  /// The key of the first folder that is of this server. `looked`: where there was none.
  Outcome<std::optional<std::string>> KeyFor(const std::string& server,
                                             std::vector<std::string>& looked) {
    for (const std::string& folder : Looked()) {
      const std::string path = folder + kKeyPath;
      const FileText file = ReadLine(path);
      // One that is there and closed to us is the likely answer to "why does it not work".
      const bool is_there = file.error == 0 ? !file.text.empty() : file.error == EACCES;
      if (!is_there) {
        looked.push_back(path);
      } else if (const std::string of = TargetOf(folder); of == server) {
        auto key = KeyFrom(path, "the folder of a local server");
        if (!key.ok()) return key.failure();
        return std::optional(*std::move(key));
      } else {
        looked.push_back(path + " (which is " +
                         (!of.empty()            ? "for " + of
                          : file.error == EACCES ? "closed to you"
                                                 : "of a server that does not run") +
                         ")");
      }
    }
    return std::optional<std::string>();
  }

  static std::optional<std::string> FirstServer(const std::vector<std::string>& folders) {
    for (const std::string& folder : folders) {
      const FileText file = ReadLine(folder + kAddressPath);
      if (file.error == 0 && !file.text.empty()) return file.text;
    }
    return std::nullopt;
  }

 private:
  const std::vector<std::string>& Looked() {
    if (std::exchange(here_is_anothers_, false)) {
      environment_.err << "ignored " << kHere
                       << ": it is another user's, or others may write to it; if you trust it, "
                          "name it with --data-dir"
                       << std::endl;
    }
    return folders_;
  }

  /// As it is dialled; empty while no server runs there.
  static std::string TargetOf(const std::string& folder) {
    const auto text = FirstServer({folder});
    if (!text) return "";
    const auto address = transport::ParseServerAddress(*text, /*names_ca=*/false, kAddressPath);
    return address.ok() ? address->target : "";
  }

  const Environment& environment_;
  std::vector<std::string> folders_;
  bool here_is_anothers_ = false;
};

Outcome<std::string> FindKey(const ConnectionFlags& flags, const std::string& server,
                             const Environment& environment, UsualFolders& usual) {
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
  auto key = usual.KeyFor(server, looked);
  if (!key.ok()) return key.failure();
  if (*key) return **key;
  return NoKey("found no API key for " + server + "; looked at " + Join(looked, ", "));
}

std::string FindServer(const ConnectionFlags& flags, const Environment& environment,
                       UsualFolders& usual) {
  if (!flags.server.empty()) return flags.server;
  std::optional<std::string> found;
  if (!flags.data_dir.empty()) {
    found = UsualFolders::FirstServer({flags.data_dir});
  } else if (const auto server = environment.variable("ALLOT_SERVER")) {
    return *server;
  } else if (const auto folder = environment.variable("ALLOT_DATA_DIR")) {
    found = UsualFolders::FirstServer({*folder});
  } else {
    found = usual.Server();
  }
  return found.value_or(kDefaultServer);
}

/// What a flag names, or else a variable; with the name that it is known by.
transport::PemFile FindFile(const std::string& flag, const std::string& value,
                            const std::string& variable, const Environment& environment) {
  if (!value.empty()) return {.field = flag, .path = value};
  const auto path = environment.variable(variable);
  return {.field = path ? variable : flag, .path = path.value_or("")};
}

Outcome<transport::ServerAddress> FindAddress(const ConnectionFlags& flags,
                                              const Environment& environment, UsualFolders& usual) {
  const transport::PemFile ca = FindFile("--ca-file", flags.ca_file, "ALLOT_CA_FILE", environment);
  const auto server = transport::ParseServerAddress(FindServer(flags, environment, usual),
                                                    !ca.path.empty(), "--server");
  if (!server.ok()) return FailureOf(server.error());
  return *server;
}

}  // namespace

Outcome<transport::ServerAddress> FindServerAddress(const ConnectionFlags& flags,
                                                    const Environment& environment) {
  UsualFolders usual(environment);
  return FindAddress(flags, environment, usual);
}

Outcome<Connection> FindConnection(const ConnectionFlags& flags, const Environment& environment) {
  UsualFolders usual(environment);
  const auto server = FindAddress(flags, environment, usual);
  if (!server.ok()) return server.failure();
  const Outcome<std::string> key = FindKey(flags, server->target, environment, usual);
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
