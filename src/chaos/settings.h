#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "chaos/world.h"

namespace allot::chaos {

/// What is set by those who may, and by nothing else: quotas, merits, drains. Each change that is
/// asked for may come about once, from when it is sent; once it was answered it has come about.
class Settings {
 public:
  /// "draining of ca/n1" is set to 1.
  struct Change {
    std::string setting;
    int64_t value = 0;
  };
  /// Of what is asked at once.
  using Number = int;

  explicit Settings(World& world) : world_(world) {}

  Number Asked(const std::vector<Change>& changes);
  /// The answer was that it is done.
  void Acknowledged(Number number);
  /// What a setting is after a commit. What is seen for the first time was entered so.
  void Seen(const std::string& setting, int64_t value);
  /// 0 for what was never seen.
  int64_t Of(const std::string& setting) const;

 private:
  struct Open {
    Change change;
    /// It may have come about: the setting had this value since it was asked.
    bool was_so = false;
    /// It has come about, visibly.
    bool used = false;
  };

  World& world_;
  std::map<std::string, int64_t> values_;
  Number newest_ = 0;
  std::map<Number, std::vector<Open>> open_;
};

}  // namespace allot::chaos
