#include <algorithm>
#include <tuple>

#include "store/postgres/postgres_tx.h"
#include "store/postgres/rows.h"

namespace allot::store {
namespace {

const std::string kSelectClaim = std::string("SELECT ") + kClaimColumns + " FROM claims";

const Statement kOpenClaims{"open_claims",
                            kSelectClaim +
                                " WHERE allocation_id = ANY ($1::text[]) AND released_at IS NULL"
                                " AND NOT promised"
                                " ORDER BY node_id, allocation_id, attempt"};
const Statement kOpenClaimsOnNodes{"open_claims_on_nodes",
                                   kSelectClaim +
                                       " WHERE node_id = ANY ($1::text[]) AND released_at IS NULL"
                                       " AND NOT promised"
                                       " ORDER BY node_id, allocation_id, attempt"};
const Statement kClaimsOf{"claims_of", kSelectClaim +
                                           " WHERE allocation_id = $1 AND NOT promised"
                                           " ORDER BY attempt, node_id"};
const Statement kPromises{"promises", kSelectClaim +
                                          " WHERE allocation_id = ANY ($1::text[]) AND promised"
                                          " ORDER BY node_id, allocation_id, attempt"};
const Statement kPromisesOnNodes{"promises_on_nodes",
                                 kSelectClaim +
                                     " WHERE node_id = ANY ($1::text[]) AND promised"
                                     " ORDER BY node_id, allocation_id, attempt"};
const Statement kRemovePromises{
    "remove_promises", "DELETE FROM claims WHERE allocation_id = ANY ($1::text[]) AND promised"};
const Statement kInsertClaims{
    "insert_claims",
    "INSERT INTO claims (allocation_id, attempt, node_id, gpu_mask, start_time, end_time,"
    " released_at, promised)"
    " SELECT u.allocation_id, u.attempt, u.node_id, u.gpu_mask, instant(u.start_time),"
    " instant(u.end_time), instant(u.released_at), $8"
    " FROM unnest($1::text[], $2::int[], $3::text[], $4::int[], $5::bigint[], $6::bigint[],"
    " $7::bigint[])"
    " AS u(allocation_id, attempt, node_id, gpu_mask, start_time, end_time, released_at)"};
// A window is never empty: what is released before it starts keeps its first instant, and the
// database knows that such a claim held nothing. Nor does it reach into another's: by a clock that
// was ahead that one may have been held and released "later", and the GPUs must come free all the
// same.
const Statement kReleaseClaims{
    "release_claims",
    "UPDATE claims c SET released_at = instant($3),"
    " end_time = LEAST(greatest(instant($3), c.start_time + interval '1 microsecond'),"
    "  (SELECT min(o.start_time) FROM claims o WHERE o.node_hash = c.node_hash"
    "   AND o.gpus && c.gpus AND o.start_time > c.start_time"
    "   AND o.during && tstzrange(c.start_time, greatest(instant($3), c.start_time))))"
    " WHERE c.allocation_id = $1 AND c.attempt = $2 AND c.released_at IS NULL AND NOT c.promised"};

// What was released by a clock that was ahead ends where the next one on its GPUs begins, and has
// held nothing if by that clock it had yet to begin: else nothing could be booked there until the
// clocks of others had caught up.
const Statement kEndReleased{
    "end_released",
    "UPDATE claims c SET"
    " end_time = CASE WHEN c.start_time < o.next THEN o.next ELSE c.end_time END,"
    " released_at = CASE WHEN c.start_time < o.next THEN c.released_at ELSE c.start_time END"
    " FROM (SELECT r.allocation_id, r.attempt, r.node_id, min(instant(u.start_time)) AS next"
    "  FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[])"
    "   AS u(node_id, gpu_mask, start_time, end_time)"
    "  JOIN claims r ON r.node_hash = hashtextextended(u.node_id, 0) AND r.node_id = u.node_id"
    "   AND r.gpu_mask & u.gpu_mask <> 0 AND r.released_at IS NOT NULL"
    "   AND r.during && tstzrange(instant(u.start_time), instant(u.end_time))"
    "  GROUP BY r.allocation_id, r.attempt, r.node_id) o"
    " WHERE c.allocation_id = o.allocation_id AND c.attempt = o.attempt AND c.node_id = o.node_id"};

const Statement kCutClaims{
    "cut_claims",
    "UPDATE claims SET end_time = instant($3)"
    " WHERE allocation_id = $1 AND attempt = $2 AND released_at IS NULL AND NOT promised"
    " AND end_time > instant($3)"};

Instant StartOf(const Claim& claim) { return claim.window.start(); }
Instant EndOf(const Claim& claim) { return claim.window.end(); }

}  // namespace

Result<std::vector<Claim>> PostgresTx::OpenClaims(std::span<const AllocationId> allocations) {
  return FindAll(ReadClaim, kOpenClaims, Arguments(SqlArray(allocations)));
}

Result<std::vector<Claim>> PostgresTx::OpenClaimsOnNodes(std::span<const NodeId> nodes) {
  return FindAll(ReadClaim, kOpenClaimsOnNodes, Arguments(SqlArray(nodes)));
}

Result<std::vector<Claim>> PostgresTx::ClaimsOf(const AllocationId& allocation) {
  return FindAll(ReadClaim, kClaimsOf, Arguments(allocation));
}

Result<std::vector<Claim>> PostgresTx::Promises(std::span<const AllocationId> allocations) {
  return FindAll(ReadClaim, kPromises, Arguments(SqlArray(allocations)));
}

Result<std::vector<Claim>> PostgresTx::PromisesOnNodes(std::span<const NodeId> nodes) {
  return FindAll(ReadClaim, kPromisesOnNodes, Arguments(SqlArray(nodes)));
}

Status PostgresTx::RemovePromises(std::span<const AllocationId> allocations) {
  if (allocations.empty()) return Ok{};
  return Verb([&]() -> Status {
    Execute(kRemovePromises, Arguments(SqlArray(allocations)));
    for (const AllocationId& id : allocations) Changed(ResourceKind::kAllocation, id);
    return Ok{};
  });
}

Status PostgresTx::InsertClaims(std::span<const Claim> claims) {
  return InsertBookings(claims, /*promised=*/false);
}

Status PostgresTx::InsertPromises(std::span<const Claim> claims) {
  return InsertBookings(claims, /*promised=*/true);
}

Status PostgresTx::InsertBookings(std::span<const Claim> claims, bool promised) {
  if (claims.empty()) return Ok{};
  // In one order for all writers: two that want the same nodes wait for each other, not crosswise.
  std::vector<Claim> ordered(claims.begin(), claims.end());
  std::ranges::sort(ordered, {}, [](const Claim& claim) {
    return std::tuple(claim.node, claim.window, claim.allocation, claim.attempt);
  });
  const auto column = [&](auto part) { return SqlArray(ordered, part); };
  return Verb([&]() -> Status {
    Execute(kEndReleased,
            Arguments(column(&Claim::node), column(&Claim::gpus), column(StartOf), column(EndOf)));
    Execute(kInsertClaims, Arguments(column(&Claim::allocation), column(&Claim::attempt),
                                     column(&Claim::node), column(&Claim::gpus), column(StartOf),
                                     column(EndOf), column(&Claim::released_at), promised));
    for (const Claim& claim : ordered) Changed(ResourceKind::kAllocation, claim.allocation);
    return Ok{};
  });
}

Status PostgresTx::ReleaseClaims(const AllocationId& allocation, int attempt, Instant at) {
  return Verb([&]() -> Status {
    const pqxx::result released = Execute(kReleaseClaims, Arguments(allocation, attempt, at));
    if (released.affected_rows() > 0) Changed(ResourceKind::kAllocation, allocation);
    return Ok{};
  });
}

Status PostgresTx::CutClaims(const AllocationId& allocation, int attempt, Instant end) {
  return Verb([&]() -> Status {
    const pqxx::result cut = Execute(kCutClaims, Arguments(allocation, attempt, end));
    if (cut.affected_rows() > 0) Changed(ResourceKind::kAllocation, allocation);
    return Ok{};
  });
}

}  // namespace allot::store
