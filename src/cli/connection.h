#pragma once

#include <memory>
#include <string>

#include <grpcpp/security/credentials.h>

#include "allot/cli/command_line.h"
#include "allot/transport/server_address.h"
#include "cli/failure.h"

namespace allot::cli {

inline constexpr const char* kDefaultServer = "127.0.0.1:8443";

/// As given on the command line; empty where not given.
struct ConnectionFlags {
  std::string server;
  std::string key_file;
  std::string data_dir;
  std::string ca_file;
  std::string certificate_file;
  std::string certificate_key_file;
};

struct Connection {
  transport::ServerAddress server;
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  /// An API key, or a token. Never printed.
  std::string key;
};

/// Finds the server and the key. A flag goes before the environment, and that before what a private
/// cluster left in its data folder: `keys/operator.key` and `server.address`.
///
/// key:    --key-file, --data-dir, ALLOT_KEY, ALLOT_KEY_FILE, ALLOT_DATA_DIR, then the token of a
/// login for the server (LoginStore), then the usual folders
/// server: --server, --data-dir, ALLOT_SERVER, ALLOT_DATA_DIR, then the usual folders, then
/// 127.0.0.1:8443
/// ca:     --ca-file, ALLOT_CA_FILE, then the machine's own authorities
/// certificate and its key, which providers need: --certificate, ALLOT_CERTIFICATE and
/// --certificate-key, ALLOT_CERTIFICATE_KEY
///
/// The usual folders: ./allot-data (unless it is another user's, or others may write to it: a note
/// says so), ~/.local/share/allot, /var/lib/allot. A key there goes to the server in the folder's
/// `server.address` and to no other. A place that was named and holds nothing is an error, never a
/// reason to look further. A key file that others may read or write is refused, as the agent does.
Outcome<transport::ServerAddress> FindServerAddress(const ConnectionFlags& flags,
                                                    const Environment& environment);
Outcome<Connection> FindConnection(const ConnectionFlags& flags, const Environment& environment);

}  // namespace allot::cli
