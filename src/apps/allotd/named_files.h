#pragma once

#include <vector>

#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/rpc/server_tls.h"
#include "apps/allotd/config.h"

namespace allot::allotd {

/// The files of `server.tls`, with the settings that name them.
rpc::ServerTls::Files FilesOf(const Config::Tls& tls);

/// The first of `server.tls` and `audit.signing_key` that no server can serve with at `now`.
Status RequireUsableKeys(const Config& config, Instant now);

/// Looks at the files and folders that a configuration names, as a server would that the user of
/// this process starts at `now`; changes nothing. What is wrong with each, as config_invalid.
std::vector<Error> ProblemsOfNamedFiles(const Config& config, Instant now);

}  // namespace allot::allotd
