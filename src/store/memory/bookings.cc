#include <tuple>

#include "store/memory/memory_tx.h"

namespace allot::store {
namespace {

bool IsHeld(const Booking& booking) { return !booking.promised && !booking.claim.released_at; }
bool IsPromise(const Booking& booking) { return booking.promised; }

/// One given back before its start never kept anybody from anything.
bool BooksNothing(const Claim& claim) {
  return claim.released_at && *claim.released_at <= claim.window.start();
}

bool Exclude(const Booking& a, const Booking& b) {
  if ((a.claim.gpus & b.claim.gpus) == 0) return false;
  if (IsHeld(a) && IsHeld(b)) return true;
  return !BooksNothing(a.claim) && !BooksNothing(b.claim) &&
         a.claim.window.Overlaps(b.claim.window);
}

std::vector<Claim> ByNode(std::vector<Claim> claims) {
  std::ranges::sort(claims, {}, [](const Claim& claim) {
    return std::tie(claim.node, claim.allocation, claim.attempt);
  });
  return claims;
}

}  // namespace

template <class Wanted>
std::vector<Claim> MemoryTx::BookingsOf(std::span<const AllocationId> allocations,
                                        Wanted wanted) const {
  std::vector<Claim> claims;
  const auto& rows = state_.bookings.rows();
  for (const AllocationId& id : std::set<AllocationId>(allocations.begin(), allocations.end())) {
    for (auto row = rows.lower_bound({id, 0, NodeId()});
         row != rows.end() && std::get<0>(row->first) == id; ++row) {
      if (wanted(*row->second)) claims.push_back(row->second->claim);
    }
  }
  return claims;
}

template <class Wanted>
std::vector<Claim> MemoryTx::BookingsOn(std::span<const NodeId> nodes, Wanted wanted) const {
  std::vector<Claim> claims;
  const auto& rows = state_.bookings_on_nodes.rows();
  for (const NodeId& id : std::set<NodeId>(nodes.begin(), nodes.end())) {
    for (auto row = rows.lower_bound({id, AllocationId(), 0});
         row != rows.end() && std::get<0>(row->first) == id; ++row) {
      if (wanted(*row->second)) claims.push_back(row->second->claim);
    }
  }
  return claims;
}

Result<std::vector<Claim>> MemoryTx::OpenClaims(std::span<const AllocationId> allocations) {
  return Verb([&] { return ByNode(BookingsOf(allocations, IsHeld)); });
}

Result<std::vector<Claim>> MemoryTx::OpenClaimsOnNodes(std::span<const NodeId> nodes) {
  return Verb([&] { return BookingsOn(nodes, IsHeld); });
}

Result<std::vector<Claim>> MemoryTx::ClaimsOf(const AllocationId& allocation) {
  return Verb([&] {
    return BookingsOf(std::span(&allocation, 1),
                      [](const Booking& booking) { return !booking.promised; });
  });
}

Result<std::vector<Claim>> MemoryTx::Promises(std::span<const AllocationId> allocations) {
  return Verb([&] { return ByNode(BookingsOf(allocations, IsPromise)); });
}

Result<std::vector<Claim>> MemoryTx::PromisesOnNodes(std::span<const NodeId> nodes) {
  return Verb([&] { return BookingsOn(nodes, IsPromise); });
}

Status MemoryTx::InsertClaims(std::span<const Claim> claims) {
  return Book(claims, /*promised=*/false);
}

Status MemoryTx::InsertPromises(std::span<const Claim> claims) {
  return Book(claims, /*promised=*/true);
}

void MemoryTx::EndBeforeNext(Claim& claim) const {
  const auto& rows = state_.bookings_on_nodes.rows();
  for (auto row = rows.lower_bound({claim.node, AllocationId(), 0});
       row != rows.end() && std::get<0>(row->first) == claim.node; ++row) {
    const Instant next = row->second->claim.window.start();
    if (next <= claim.window.start()) continue;
    if (!Exclude(*row->second, {.claim = claim, .promised = false})) continue;
    claim.window = *TimeWindow::Make(claim.window.start(), next);
  }
}

void MemoryTx::EndReleased(const Claim& next) {
  std::vector<Claim> ended;
  for (const Claim& claim : BookingsOn(std::span(&next.node, 1), [&](const Booking& booking) {
         const Claim& claim = booking.claim;
         return claim.released_at && !BooksNothing(claim) && (claim.gpus & next.gpus) != 0 &&
                claim.window.Overlaps(next.window);
       })) {
    ended.push_back(claim);
  }
  for (Claim& claim : ended) {
    // By a clock that was ahead it may have had yet to begin.
    const Instant start = claim.window.start();
    if (start < next.window.start()) {
      claim.window = *TimeWindow::Make(start, next.window.start());
    } else {
      claim.released_at = start;
    }
    StoreBooking({.claim = claim, .promised = false});
  }
}

bool MemoryTx::IsTaken(const Booking& booking) const {
  const Claim& claim = booking.claim;
  const auto& rows = state_.bookings_on_nodes.rows();
  for (auto row = rows.lower_bound({claim.node, AllocationId(), 0});
       row != rows.end() && std::get<0>(row->first) == claim.node; ++row) {
    const Claim& other = row->second->claim;
    const bool itself = other.allocation == claim.allocation && other.attempt == claim.attempt;
    if (!itself && Exclude(*row->second, booking)) return true;
  }
  return false;
}

void MemoryTx::StoreBooking(const Booking& booking) {
  const Claim& claim = booking.claim;
  const auto row = std::make_shared<const Booking>(booking);
  state_.bookings.Put(undo_, {claim.allocation, claim.attempt, claim.node}, row);
  state_.bookings_on_nodes.Put(undo_, {claim.node, claim.allocation, claim.attempt}, row);
}

void MemoryTx::PutBooking(const Booking& booking) {
  StoreBooking(booking);
  Changed(ResourceKind::kAllocation, booking.claim.allocation);
}

Status MemoryTx::Book(std::span<const Claim> claims, bool promised) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  for (const Claim& claim : claims) {
    if (claim.gpus == 0 || (promised && claim.released_at)) return Refuse();
    if (state_.allocations.Find(claim.allocation) == nullptr ||
        state_.nodes.Find(claim.node) == nullptr) {
      return Fail(RefersToNothing());
    }
    ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kAllocation, claim.allocation));
    const Booking booking{.claim = claim, .promised = promised};
    EndReleased(claim);
    const bool there =
        state_.bookings.Find({claim.allocation, claim.attempt, claim.node}) != nullptr;
    if (there || IsTaken(booking) || IsSetAsideForOthers(booking)) return Conflict();
    PutBooking(booking);
  }
  return Ok{};
}

Status MemoryTx::RemovePromises(std::span<const AllocationId> allocations) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  for (const Claim& claim : BookingsOf(allocations, IsPromise)) {
    ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kAllocation, claim.allocation));
    state_.bookings.Erase(undo_, {claim.allocation, claim.attempt, claim.node});
    state_.bookings_on_nodes.Erase(undo_, {claim.node, claim.allocation, claim.attempt});
  }
  for (const AllocationId& id : allocations) Changed(ResourceKind::kAllocation, id);
  return Ok{};
}

Status MemoryTx::ReleaseClaims(const AllocationId& allocation, int attempt, Instant at) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kAllocation, allocation));
  for (Claim& claim : BookingsOf(std::span(&allocation, 1), IsHeld)) {
    if (claim.attempt != attempt) continue;
    claim.released_at = at;
    // A window is never empty.
    const Instant start = claim.window.start();
    claim.window = *TimeWindow::Make(start, std::max(at, Instant{start.micros + 1}));
    EndBeforeNext(claim);
    const Booking released{.claim = claim, .promised = false};
    if (IsTaken(released)) return Conflict();
    PutBooking(released);
  }
  return Ok{};
}

Status MemoryTx::CutClaims(const AllocationId& allocation, int attempt, Instant end) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kAllocation, allocation));
  for (Claim& claim : BookingsOf(std::span(&allocation, 1), IsHeld)) {
    if (claim.attempt != attempt || claim.window.end() <= end) continue;
    const auto cut = TimeWindow::Make(claim.window.start(), end);
    if (!cut) return Refuse();
    claim.window = *cut;
    PutBooking({.claim = claim, .promised = false});
  }
  return Ok{};
}

}  // namespace allot::store
