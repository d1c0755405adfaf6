#include "campaign/history.h"

#include <chrono>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace allot::campaign {

History::History(const std::string& path) : file_(path) {
  if (!file_) throw std::runtime_error("cannot write " + path);
}

void History::Add(const Call& call) {
  const nlohmann::ordered_json line{{"operation", call.operation}, {"request_id", call.request_id},
                                    {"name", call.name},           {"answer", call.answer},
                                    {"attempts", call.attempts},   {"begun_ms", call.begun_ms},
                                    {"ended_ms", call.ended_ms}};
  const std::scoped_lock lock(mutex_);
  file_ << line.dump() << '\n' << std::flush;
}

std::vector<Call> History::Read(const std::string& path) {
  std::vector<Call> calls;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto read = nlohmann::json::parse(line);
    calls.push_back({read["operation"], read["request_id"], read["name"], read["answer"],
                     read["attempts"], read["begun_ms"], read["ended_ms"]});
  }
  return calls;
}

int64_t SteadyMs() {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  return duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace allot::campaign
