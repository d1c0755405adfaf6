#pragma once

#include <string>
#include <vector>

#include "campaign/clients.h"
#include "campaign/history.h"

namespace allot::campaign {

/// What the histories and the database say about each other, by SQL and arithmetic of the checker's
/// own, and what the tables say by themselves (store::Verify): nothing that serves takes part.
struct Findings {
  int acknowledged = 0;
  /// Of those, releases and cancellations.
  int ended = 0;
  int unknown = 0;
  int refused = 0;
  /// Acknowledged and not there, or not as it was acknowledged.
  int lost = 0;
  /// Requests that led to more than one allocation, or to another than was acknowledged.
  int twice = 0;
  /// GPUs that are booked for two at the same time, or held by two.
  int double_bookings = 0;
  /// Orders of one kind for one attempt beyond the first, and claims of nodes that no order names.
  int stray_orders = 0;
  /// Revisions that are missing among those of the database.
  int revision_gaps = 0;
  /// What breaks any other invariant that can be seen in the tables.
  int invariants = 0;
  /// Changes of the database that the watcher was not sent, or was sent and are not there.
  int watch_missed = 0;
  int watch_invented = 0;
  /// One sentence each, a few of every kind.
  std::vector<std::string> examples;

  bool clean() const {
    return lost + twice + double_bookings + stray_orders + revision_gaps + invariants +
               watch_missed + watch_invented ==
           0;
  }
};

/// `watched` has to hold all changes up to the revision `watched_through`: the service goes on
/// while it is looked at.
Findings Check(const std::vector<Call>& history, const std::set<Watcher::Change>& watched,
               int64_t watched_through, const std::string& database_url);

/// The newest revision there.
int64_t NewestRevision(const std::string& database_url);

}  // namespace allot::campaign
