#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "allot/model/order.h"
#include "allot/store/tx.h"
#include "chaos/world.h"

namespace allot::chaos {

/// Watches over who leads: what a server writes by itself, it writes in the epoch that the
/// leadership row has at that commit, and that epoch was given to it and nobody else. What others
/// ask for is written in none.
class Epochs {
 public:
  /// A server from a start to its end: whoever starts again begins an epoch of its own.
  using Life = std::pair<std::string, int64_t>;

  struct Commit {
    Life writer;
    /// Of the server's own accord, rather than because somebody called.
    bool in_turn = false;
    bool wrote = false;
    /// The lead that the writer took or renewed in it.
    std::optional<store::Leadership> given;
    /// As it stands at this commit.
    store::Leadership row;
  };

  explicit Epochs(World& world) : world_(world) {}

  /// From now on until Ended, what changes is of this commit.
  void Began(const Commit& commit);
  void Ended() { epoch_ = 0; }
  void Opened(const Order& order);
  /// A server says that its pass was of this epoch.
  void PassMade(const std::string& server, int64_t epoch);

 private:
  World& world_;
  std::map<int64_t, Life> holders_;
  std::map<Life, int64_t> leads_;
  /// Of the commit that is looked at; 0 when no leader decided it.
  int64_t epoch_ = 0;
};

}  // namespace allot::chaos
