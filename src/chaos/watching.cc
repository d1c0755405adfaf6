// Tenants who follow what happens to their allocations.
#include "allot/control/allocations.h"
#include "allot/control/identity.h"
#include "allot/control/watch.h"
#include "chaos/tenants.h"

namespace allot::chaos {
namespace {

constexpr int kWatchBatch = 20;

}  // namespace

void Tenants::Watch(std::size_t tenant) {
  Server* const server = AnyAlive(in_.world, servers_);
  if (server == nullptr) return;
  const Server::Visit visit(*server);
  Watcher& watcher = watchers_[tenant];
  const auto principal = control::Authenticate(server->context(), tenants_[tenant].secret);
  if (!principal.ok()) return;
  const auto batch = control::ChangesSince(server->context(), *principal, std::nullopt,
                                           std::nullopt, watcher.after, kWatchBatch);
  if (!server->alive()) return;
  if (!batch.ok()) {
    in_.auditor.Refused("a watch", batch.error());
    if (batch.error().reason == Reason::kRevisionOutOfRange)
      ListAnew(server->context(), *principal, watcher);
    return;
  }
  // Who did not hear asks again from where it was.
  if (in_.world.Strikes(in_.world.rates.answer_lost, "answer_lost")) return;
  if (watcher.started) in_.world.Probe("watch_resumed");
  watcher.started = true;
  Revision last = watcher.after;
  for (const control::AllocationChange& change : batch->changes) {
    if (change.revision <= watcher.after || change.revision < last) {
      in_.world.Violate("watch_in_order", "a watch after " + std::to_string(watcher.after) +
                                              " was told of " + std::to_string(change.revision));
    }
    last = change.revision;
    in_.auditor.of_tenants().Shown(*principal, change.allocation);
    in_.auditor.of_tenants().Told(*principal, change.reason + "|" + change.message, {});
    watcher.seen[change.allocation.id] = change.state;
  }
  watcher.after = batch->revision;
}

void Tenants::ListAnew(const control::Context& context, const Principal& principal,
                       Watcher& watcher) {
  const auto present = control::PresentRevision(context, principal);
  const auto page = control::ListAllocations(context, principal, {}, {.size = 1'000});
  if (!present.ok() || !page.ok()) return;
  in_.world.Probe("watch_listed_anew");
  watcher.after = *present;
  watcher.seen.clear();
  for (const Allocation& one : page->items) {
    in_.auditor.of_tenants().Shown(principal, one);
    watcher.seen[one.id] = one.state;
  }
}

void Tenants::CheckWatchers() {
  for (std::size_t i = 0; i < tenants_.size(); ++i) {
    for (int more = 0; more < 10'000 && watchers_[i].after < in_.auditor.revision(); ++more) {
      Watch(i);
    }
    for (const auto& [id, allocation] : in_.auditor.allocations()) {
      if (InstituteOf(id) != InstituteOf(tenants_[i].project)) continue;
      const auto seen = watchers_[i].seen.find(id);
      const bool agrees = seen != watchers_[i].seen.end() && seen->second == allocation.state;
      if (!agrees) {
        in_.world.Violate("watch_complete", "who watched " + tenants_[i].project.str() +
                                                " does not know that " + id.str() + " is " +
                                                std::string(Name(allocation.state)));
      }
    }
  }
}

}  // namespace allot::chaos
