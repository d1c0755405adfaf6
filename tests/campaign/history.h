#pragma once

#include <cstdint>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

namespace allot::campaign {

/// One call as its client saw it, with all its attempts.
struct Call {
  std::string operation;
  std::string request_id;
  /// The allocation: of a create, what the answer named.
  std::string name;
  /// "ok", "unknown" when no attempt was answered, or the status it was refused with.
  std::string answer;
  int attempts = 0;
  int64_t begun_ms = 0;
  int64_t ended_ms = 0;
};

/// What clients did and saw: a file with a JSON object a line, each complete once it is written.
class History {
 public:
  explicit History(const std::string& path);
  void Add(const Call& call);
  static std::vector<Call> Read(const std::string& path);

 private:
  std::mutex mutex_;
  std::ofstream file_;
};

/// By the steady clock, which no fault sets.
int64_t SteadyMs();

}  // namespace allot::campaign
