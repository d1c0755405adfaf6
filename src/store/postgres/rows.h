#pragma once

#include "allot/model/allocation.h"
#include "allot/model/event.h"
#include "allot/model/order.h"
#include "allot/model/pool.h"
#include "allot/model/principal.h"
#include "allot/model/quota.h"
#include "allot/model/reservation.h"
#include "allot/model/tenant.h"
#include "allot/store/tx.h"
#include "store/postgres/sql_text.h"

// What a row of each table reads as: the columns to select, and the function that reads them in
// that order. Change both together.
namespace allot::store {

inline constexpr char kProviderColumns[] = "id, display_name, version";
Provider ReadProvider(RowReader& row);

inline constexpr char kClusterColumns[] =
    "id, provider_id, display_name, gpu_model, array_to_string(programmes, E'\\n'), agent_session,"
    " inventory_generation, micros(last_heartbeat), report_session, report_number, draining, "
    "drain_reason, micros(join_time),"
    " micros(leave_time), version";
Cluster ReadCluster(RowReader& row);

inline constexpr char kNodeColumns[] =
    "id, cluster_id, health, draining, drain_reason, reason, leaf, version";
Node ReadNode(RowReader& row);

inline constexpr char kReservationColumns[] =
    "id, cluster_id, project_id, display_name, array_to_string(node_ids, E'\\n'),"
    " micros(start_time), micros(end_time), repeat_every_s, occurrences, micros(create_time),"
    " micros(cancel_time), version";
Reservation ReadReservation(RowReader& row);

inline constexpr char kPolicyColumns[] =
    "id, settings::text, micros(effective_time), micros(create_time), reason,"
    " micros(withdraw_time), withdraw_reason";
PublishedPolicy ReadPolicy(RowReader& row);

inline constexpr char kInstituteColumns[] = "id, display_name, sector, version";
Institute ReadInstitute(RowReader& row);

inline constexpr char kProjectColumns[] =
    "id, institute_id, programme, display_name, sector, merit, open, micros(create_time), version";
Project ReadProject(RowReader& row);

inline constexpr char kQuotaColumns[] =
    "project_id, concurrent_b200_gpus, concurrent_h200_gpus, gpu_seconds, version";
Quota ReadQuota(RowReader& row);

inline constexpr char kProjectUsageColumns[] =
    "project_id, used_gpu_seconds, decayed, micros(decayed_as_of)";
ProjectUsage ReadProjectUsage(RowReader& row);

inline constexpr char kAllocationColumns[] =
    "id, project_id, display_name, nodes, gpus_per_node, remainder_gpus,"
    " array_to_string(gpu_models, E'\\n'), duration_s, micros(earliest_start), micros(deadline),"
    " preemptible, borrow, same_leaf_wait_s, exchanged_model, exchanged_nodes,"
    " exchanged_gpus_per_node, exchanged_remainder_gpus, gpus_max, state, attempt, failures, "
    "micros(create_time), "
    "micros(update_time),"
    " micros(window_start), micros(window_end), cluster_id, promised, micros(active_time),"
    " micros(end_time), reason, message, setback, cancel_requested, version,"
    " preempt_requested, preemptions, remaining_s, micros(preempt_time), after_id,"
    " micros(ready_time), micros(told_start), overdue_under, urgent,"
    " urgent_reason, consolidate, consolidate_reason, moved, grows_id";
Allocation ReadAllocation(RowReader& row);
/// As the index allocations_unfinished_by_id has it.
inline constexpr char kUnfinished[] =
    "state IN ('pending', 'planned', 'provisioning', 'active', 'releasing', 'preempted')";

inline constexpr char kEstimateColumns[] = "micros(told_time), micros(planned_start)";
StartEstimate ReadEstimate(RowReader& row);

inline constexpr char kClaimColumns[] =
    "allocation_id, attempt, node_id, gpu_mask, micros(start_time), micros(end_time),"
    " micros(released_at)";
Claim ReadClaim(RowReader& row);

inline constexpr char kOrderColumns[] =
    "id, cluster_id, allocation_id, attempt, kind, state, array_to_string(node_ids, E'\\n'),"
    " array_to_string(gpu_masks, E'\\n'), micros(start_time), micros(end_time), epoch,"
    " micros(create_time), micros(acknowledge_time), message";
Order ReadOrder(RowReader& row);

inline constexpr char kApiKeyColumns[] =
    "id, role, institute_id, provider_id, display_name, secret_sha256, micros(create_time),"
    " micros(revoke_time), micros(expire_time), line_id";
ApiKey ReadApiKey(RowReader& row);

inline constexpr char kMemberColumns[] =
    "id, issuer, subject, role, institute_id, display_name, micros(create_time),"
    " micros(remove_time)";
Member ReadMember(RowReader& row);

inline constexpr char kEventColumns[] =
    "revision, kind, resource, institute_id, state, micros(event_time), reason, message";
Event ReadEvent(RowReader& row);

inline constexpr char kAuditColumns[] =
    "number, micros(entry_time), key_id, actor, action, resource, institute_id, detail, request_id";
AuditEntry ReadAuditEntry(RowReader& row);

}  // namespace allot::store
