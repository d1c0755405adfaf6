#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace allot {

/// What became of something that wanted to wait in a bounded queue.
enum class QueueVerdict : unsigned char { kTaken, kLineFull, kQueueFull, kStopped };

/// A bounded queue in which every party has a line of its own. One of each is taken in turn: who
/// brings more than others waits behind its own, not they behind it. Not thread safe.
template <class Item>
class TurnQueue {
 public:
  struct Limits {
    /// Of all parties together.
    std::size_t queue_max = 1024;
    /// Of one party.
    std::size_t line_max = 128;
  };

  explicit TurnQueue(Limits limits) : limits_(limits) {}

  bool empty() const { return size_ == 0; }

  /// Whatever it answers but kTaken: the item is as it was.
  QueueVerdict Push(const std::string& party, Item&& item) {
    if (size_ >= limits_.queue_max) return QueueVerdict::kQueueFull;
    std::deque<Item>& line = lines_[party];
    if (line.size() >= limits_.line_max) return QueueVerdict::kLineFull;
    if (line.empty()) turns_.push_back(party);
    line.push_back(std::move(item));
    ++size_;
    return QueueVerdict::kTaken;
  }

  /// At least one, if there is any, and then as long as all together weigh at most `weight_max`.
  std::vector<Item> Take(std::size_t weight_max,
                         const std::function<std::size_t(const Item&)>& weight_of) {
    std::vector<Item> taken;
    std::size_t weight = 0;
    while (!turns_.empty()) {
      const auto line = lines_.find(turns_.front());
      weight += weight_of(line->second.front());
      if (weight > weight_max && !taken.empty()) break;
      taken.push_back(std::move(line->second.front()));
      line->second.pop_front();
      --size_;
      std::string party = std::move(turns_.front());
      turns_.pop_front();
      if (line->second.empty()) {
        lines_.erase(line);
      } else {
        turns_.push_back(std::move(party));
      }
    }
    return taken;
  }

 private:
  const Limits limits_;
  std::map<std::string, std::deque<Item>> lines_;
  /// Who is next; each party with something in its line once.
  std::deque<std::string> turns_;
  std::size_t size_ = 0;
};

}  // namespace allot
