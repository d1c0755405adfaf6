#include "chaos/auditor_epochs.h"

namespace allot::chaos {
namespace {

std::string NameOf(const Epochs::Life& life) {
  return life.first + " in its life " + std::to_string(life.second);
}

}  // namespace

void Epochs::Began(const Commit& commit) {
  const std::string writer = NameOf(commit.writer);
  // Who gives the lead up names nobody.
  if (commit.given && !commit.given->holder.empty()) {
    const int64_t epoch = commit.given->epoch;
    if (!holders_.empty() && epoch > holders_.rbegin()->first &&
        holders_.rbegin()->second.first != commit.writer.first) {
      world_.Probe("leader_changed");
    }
    const auto [holder, is_new] = holders_.emplace(epoch, commit.writer);
    world_.Expect(holder->second == commit.writer, "epoch_of_one_server",
                  "epoch " + std::to_string(epoch) + " was given to " + writer + " and to " +
                      NameOf(holder->second));
    world_.Expect(holders_.rbegin()->first == epoch, "epoch_newest",
                  writer + " was given epoch " + std::to_string(epoch) + " after a newer one");
    leads_[commit.writer] = epoch;
  }
  epoch_ = commit.in_turn ? commit.row.epoch : 0;
  if (!commit.in_turn || !commit.wrote) return;
  const auto led = leads_.find(commit.writer);
  world_.Expect(led != leads_.end() && led->second == commit.row.epoch, "epoch_newest",
                writer + " wrote by itself, who was given epoch " +
                    std::to_string(led == leads_.end() ? 0 : led->second) + " last, in epoch " +
                    std::to_string(commit.row.epoch) + " of " + commit.row.holder);
}

void Epochs::Opened(const Order& order) {
  world_.Expect(order.epoch == epoch_, "epoch_newest",
                "an order for " + order.allocation.str() + " attempt " +
                    std::to_string(order.attempt) + " names epoch " + std::to_string(order.epoch) +
                    " and was decided in " +
                    (epoch_ == 0 ? "none, by a call" : std::to_string(epoch_)));
}

void Epochs::PassMade(const std::string& server, int64_t epoch) {
  const auto holder = holders_.find(epoch);
  world_.Expect(
      holder != holders_.end() && holder->second.first == server, "epoch_of_one_server",
      server + " made a pass of epoch " + std::to_string(epoch) + ", which was never its own");
}

}  // namespace allot::chaos
