#pragma once

#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "allot/base/result.h"
#include "allot/store/private_cluster.h"

namespace allot::allotd {

/// The database of a subcommand that looks at one: its URL, or the data folder of a server that may
/// serve meanwhile. Of a server that is stopped the cluster runs for as long as this lives.
class InspectedDatabase {
 public:
  struct Flags {
    std::string database_url;
    std::string data_dir;
  };
  static void AddFlags(CLI::App& command, Flags& flags);

  static Result<InspectedDatabase> Open(const Flags& flags);

  const std::string& url() const { return url_; }

 private:
  std::unique_ptr<store::PrivateCluster> cluster_;
  std::string url_;
};

}  // namespace allot::allotd
