#pragma once

#include <string>

#include "apps/allotd/config.h"

namespace allot::allotd {

struct ServeOptions {
  Config config;
  /// Exactly one of the two: a database that others look after …
  std::string database_url;
  /// … or a folder for a private PostgreSQL cluster, keys and address of this server.
  std::string data_dir;
};

/// Serves until SIGTERM or SIGINT, then drains. Returns the exit status. Requires: called on the
/// main thread before any other is started, because signals are blocked for all of them.
int Serve(const ServeOptions& options);

}  // namespace allot::allotd
