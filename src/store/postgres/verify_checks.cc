#include "store/postgres/verify_checks.h"

#include <array>

#include "store/postgres/guards.h"

namespace allot::store {
namespace {

// A claim given back before its start never kept anybody from anything; one given back later had
// its GPUs until then. A window over all earlier bookings of a GPU finds what any of them still
// has, in the time of a sort.
constexpr char kGpuBookedOnce[] = R"(
  SELECT format('%s GPU %s is booked for %s and, at the same time, for %s', node_id, gpu, allocation_id, before_it)
  FROM (SELECT node_id, gpu, allocation_id, start_time,
               max(end_time) OVER earlier AS booked_until,
               last_value(allocation_id) OVER earlier AS before_it
        FROM (SELECT c.node_id, gpu, c.allocation_id, c.attempt, c.start_time,
                     LEAST(c.end_time, COALESCE(c.released_at, c.end_time)) AS end_time
              FROM claims c CROSS JOIN generate_series(0, 7) gpu
              WHERE c.gpu_mask >> gpu & 1 = 1 AND (c.released_at IS NULL OR c.released_at > c.start_time)) b
        WINDOW earlier AS (PARTITION BY node_id, gpu ORDER BY start_time, end_time, allocation_id, attempt
                           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) w
  WHERE booked_until > start_time)";

constexpr char kGpuHeldOnce[] = R"(
  SELECT format('%s GPU %s is held by %s', node_id, gpu,
                string_agg(allocation_id, ' and by ' ORDER BY allocation_id, attempt))
  FROM claims CROSS JOIN generate_series(0, 7) gpu
  WHERE gpu_mask >> gpu & 1 = 1 AND released_at IS NULL AND NOT promised
  GROUP BY node_id, gpu HAVING count(*) > 1)";

constexpr char kClaimsAreOrdered[] = R"(
  SELECT format('%s holds GPUs of %s in attempt %s without an order for them', c.allocation_id, c.node_id, c.attempt)
  FROM claims c
  LEFT JOIN (SELECT o.allocation_id, o.attempt, n.node_id, n.gpu_mask
             FROM provider_orders o CROSS JOIN unnest(o.node_ids, o.gpu_masks) AS n(node_id, gpu_mask)
             WHERE o.kind = 'provision') o
    ON (o.allocation_id, o.attempt, o.node_id, o.gpu_mask) = (c.allocation_id, c.attempt, c.node_id, c.gpu_mask)
  WHERE NOT c.promised AND o.allocation_id IS NULL)";

constexpr char kOrdersOnce[] = R"(
  SELECT format('%s has %s orders to %s in attempt %s', allocation_id, count(*), kind, attempt)
  FROM provider_orders GROUP BY allocation_id, attempt, kind HAVING count(*) > 1)";

constexpr char kOrdersOfKnownEpochs[] = R"(
  SELECT format('the order %s is of epoch %s, and the newest is %s', o.id, o.epoch, l.epoch)
  FROM provider_orders o CROSS JOIN leadership l WHERE o.epoch > l.epoch)";

// How many GPUs a request takes: of one model, or of another by the exchange rate of its day.
constexpr char kHoldersHaveTheirGpus[] = R"(
  SELECT format('%s is %s, asks for %s GPUs and has %s', id, state, asked, held)
  FROM (SELECT a.id, a.state,
               CASE WHEN a.exchanged_model = c.gpu_model
                    THEN a.exchanged_nodes::bigint * a.exchanged_gpus_per_node + a.exchanged_remainder_gpus
                    ELSE a.nodes::bigint * a.gpus_per_node + a.remainder_gpus END AS asked,
               COALESCE((SELECT sum(bit_count(k.gpu_mask::bit(8))) FROM claims k
                         WHERE k.allocation_id = a.id AND k.released_at IS NULL
                           AND CASE WHEN a.state = 'planned' THEN k.promised
                                    ELSE NOT k.promised AND k.attempt = a.attempt END), 0) AS held
        FROM allocations a LEFT JOIN clusters c ON c.id = a.cluster_id
        WHERE a.state IN ('provisioning', 'active', 'releasing') OR a.state = 'planned' AND a.promised) h
  WHERE held <> asked)";

// What was lost with a node, or stopped, is held until its provider has confirmed the release.
constexpr char kGpusHaveTheirHolders[] = R"(
  SELECT format('%s of attempt %s is held for %s, which is %s in attempt %s, and no open order takes it back',
                c.node_id, c.attempt, c.allocation_id, a.state, a.attempt)
  FROM claims c JOIN allocations a ON a.id = c.allocation_id
  WHERE c.released_at IS NULL AND NOT c.promised
    AND NOT (a.state IN ('provisioning', 'active', 'releasing') AND a.attempt = c.attempt)
    AND NOT EXISTS (SELECT FROM provider_orders o WHERE o.allocation_id = c.allocation_id
                    AND o.attempt = c.attempt AND o.kind = 'release' AND o.state = 'open')
  UNION ALL
  SELECT format('%s is promised to %s, which is %s', c.node_id, c.allocation_id, a.state)
  FROM claims c JOIN allocations a ON a.id = c.allocation_id
  WHERE c.promised AND NOT (a.promised AND a.state = 'planned'))";

constexpr char kWorkStaysInACluster[] = R"(
  SELECT format('%s is in %s and has GPUs of %s', a.id, a.cluster_id, c.node_id)
  FROM claims c JOIN allocations a ON a.id = c.allocation_id LEFT JOIN nodes n ON n.id = c.node_id
  WHERE c.released_at IS NULL AND (c.promised OR c.attempt = a.attempt)
    AND a.state IN ('planned', 'provisioning', 'active', 'releasing') AND n.cluster_id IS DISTINCT FROM a.cluster_id)";

constexpr char kStatesAreReachedLegally[] = R"(
  SELECT format('%s went from %s to %s at revision %s', resource, was, state, revision)
  FROM (SELECT resource, revision, state, lag(state) OVER (PARTITION BY resource ORDER BY revision) AS was
        FROM events WHERE kind = 'allocation') e
  WHERE was <> state
    AND NOT EXISTS (SELECT FROM allocation_transitions t WHERE t.from_state = was AND t.to_state = state)
    -- Within one transaction it may have taken two steps.
    AND NOT EXISTS (SELECT FROM allocation_transitions t JOIN allocation_transitions u ON u.from_state = t.to_state
                    WHERE t.from_state = was AND u.to_state = state))";

constexpr char kEventsTellTheState[] = R"(
  SELECT format('%s is %s, and its newest event, of revision %s, says %s', a.id, a.state, e.revision, e.state)
  FROM (SELECT DISTINCT ON (resource) resource, revision, state FROM events
        WHERE kind = 'allocation' ORDER BY resource, revision DESC) e
  LEFT JOIN allocations a ON a.id = e.resource
  WHERE a.state IS DISTINCT FROM e.state)";

constexpr char kQuotasHeld[] = R"(
  SELECT format('%s holds %s %s of a quota of %s', project_id, held, gpu_model, quota)
  FROM (SELECT a.project_id, n.gpu_model, sum(bit_count(c.gpu_mask::bit(8))) AS held,
               COALESCE(max(CASE n.gpu_model WHEN 'B200' THEN q.concurrent_b200_gpus
                                             ELSE q.concurrent_h200_gpus END), 0) AS quota
        FROM claims c
        JOIN allocations a ON a.id = c.allocation_id AND a.attempt = c.attempt
                              AND a.state IN ('provisioning', 'active', 'releasing') AND NOT a.borrow
        JOIN clusters n ON n.id = a.cluster_id
        LEFT JOIN quotas q ON q.project_id = a.project_id
        WHERE c.released_at IS NULL AND NOT c.promised
        GROUP BY a.project_id, n.gpu_model) h
  WHERE held > quota)";

constexpr char kBudgetsHeld[] = R"(
  SELECT format('%s was charged %s GPU-seconds of a budget of %s', u.project_id, u.used_gpu_seconds,
                COALESCE(q.gpu_seconds, 0))
  FROM project_usage u LEFT JOIN quotas q ON q.project_id = u.project_id
  WHERE u.used_gpu_seconds > COALESCE(q.gpu_seconds, 0))";

// The same as committed_gpu_seconds() of the schema, for all projects at once and in words of its
// own.
constexpr char kSetAsideIsTheSum[] = R"(
  SELECT format('%s has %s GPU-seconds set aside, and its allocations ask for %s', project_id, kept, summed)
  FROM (SELECT u.project_id, u.committed_gpu_seconds AS kept, COALESCE(s.summed, 0) AS summed
        FROM project_usage u
        LEFT JOIN (SELECT project_id, sum(gpus * seconds) AS summed
                   FROM (SELECT a.project_id,
                                CASE WHEN a.exchanged_model = '' THEN g.asked
                                     WHEN h.holds AND c.gpu_model = a.exchanged_model THEN g.exchanged
                                     WHEN h.holds THEN g.asked
                                     WHEN NOT a.exchanged_model = ANY (a.gpu_models) THEN g.asked
                                     WHEN cardinality(a.gpu_models) = 1 THEN g.exchanged
                                     ELSE GREATEST(g.asked, g.exchanged) END AS gpus,
                                CASE WHEN a.grows_id IS NULL THEN COALESCE(a.remaining_s, a.duration_s)
                                     WHEN h.holds THEN extract(epoch FROM a.window_end - a.window_start)::bigint
                                     WHEN a.remaining_s < COALESCE(b.remaining_s, b.duration_s) THEN a.remaining_s
                                     ELSE COALESCE(b.remaining_s, b.duration_s) END AS seconds
                         FROM allocations a
                         LEFT JOIN clusters c ON c.id = a.cluster_id
                         LEFT JOIN allocations b ON b.id = a.grows_id
                         CROSS JOIN LATERAL (SELECT a.state IN ('provisioning', 'active', 'releasing') AS holds) h
                         CROSS JOIN LATERAL (
                           SELECT a.nodes::bigint * a.gpus_per_node + a.remainder_gpus AS asked,
                                  a.exchanged_nodes::bigint * a.exchanged_gpus_per_node + a.exchanged_remainder_gpus
                                    AS exchanged) g
                         WHERE a.state NOT IN ('completed', 'rejected', 'cancelled', 'expired', 'failed')) w
                   GROUP BY project_id) s ON s.project_id = u.project_id) t
  WHERE kept <> summed)";

constexpr char kRevisionsDense[] = R"(
  SELECT format('revision %s follows %s', revision, before_it)
  FROM (SELECT e.revision, lag(e.revision, 1, r.removed_through) OVER (ORDER BY e.revision) AS before_it
        FROM (SELECT DISTINCT revision FROM events) e CROSS JOIN revision r) g
  WHERE revision <> before_it + 1
  UNION ALL
  SELECT format('the newest revision is %s, and the newest event is of %s', value, newest)
  FROM (SELECT r.value, GREATEST(r.removed_through, (SELECT max(revision) FROM events)) AS newest FROM revision r) n
  WHERE value <> newest)";

constexpr char kAuditIsAChain[] = R"(
  SELECT CASE WHEN number <> before_it + 1 THEN format('audit entry %s follows entry %s', number, before_it)
              ELSE format('audit entry %s is not what was written there', number) END
  FROM (SELECT e.*, lag(e.number, 1, c.removed_through) OVER (ORDER BY e.number) AS before_it,
               lag(e.hash, 1, c.removed_hash) OVER (ORDER BY e.number) AS link
        FROM audit_entries e CROSS JOIN audit_chain c) e
  WHERE number <> before_it + 1
     OR hash <> audit_hash(link, ARRAY[number::text, micros(entry_time)::text, key_id, actor, action, resource,
                                       institute_id, detail, request_id])
  UNION ALL
  SELECT format('the newest audit entry is %s, and the chain ends with %s', COALESCE(e.number, c.removed_through), c.number)
  FROM audit_chain c
  LEFT JOIN (SELECT number, hash FROM audit_entries ORDER BY number DESC LIMIT 1) e ON true
  WHERE (c.number, c.hash) <> (COALESCE(e.number, c.removed_through), COALESCE(e.hash, c.removed_hash)))";

// Signatures are for whoever has the public half of the key: `allot audit verify`.
constexpr char kCheckpointsFit[] = R"(
  SELECT format('the checkpoint of audit entry %s has another hash than the entry', p.number)
  FROM audit_checkpoints p JOIN audit_entries e ON e.number = p.number WHERE e.hash <> p.hash
  UNION ALL
  SELECT format('there is a checkpoint of audit entry %s, and the chain ends with %s', p.number, c.number)
  FROM audit_checkpoints p CROSS JOIN audit_chain c WHERE p.number > c.number
  UNION ALL
  SELECT format('the audit was removed up to entry %s, and no checkpoint says so', c.removed_through)
  FROM audit_chain c
  WHERE c.removed_through > 0 AND NOT EXISTS (
    SELECT FROM audit_checkpoints p
    WHERE p.kind = 'removed' AND (p.number, p.hash) = (c.removed_through, c.removed_hash)))";

// What is added to another comes with the submission of that one.
constexpr char kSubmissionsAreAudited[] = R"(
  SELECT format('%s was never submitted, as the audit has it', a.id)
  FROM allocations a
  WHERE a.grows_id IS NULL AND NOT EXISTS (SELECT FROM audit_entries e WHERE e.resource = a.id)
    AND EXISTS (SELECT FROM audit_entries)
    AND a.create_time > COALESCE((SELECT removed_time FROM audit_chain), '-infinity'))";

constexpr char kChainsInOrder[] = R"(
  SELECT format('%s is %s before %s, which is %s, has ended', a.id, a.state, p.id, p.state)
  FROM allocations a JOIN allocations p ON p.id = a.after_id
  WHERE a.state IN ('provisioning', 'active', 'releasing', 'completed')
    AND EXISTS (SELECT FROM allocation_transitions t WHERE t.from_state = p.state))";

constexpr char kReservationsApart[] = R"(
  SELECT format('%s is set aside by %s and by %s', r.node_id, r.reservation_id, s.reservation_id)
  FROM reserved_nodes r JOIN reserved_nodes s ON s.node_id = r.node_id AND s.reservation_id > r.reservation_id
  WHERE r.during && s.during
  UNION ALL
  SELECT format('%s is set aside by %s and booked for %s', r.node_id, r.reservation_id, c.allocation_id)
  FROM reserved_nodes r JOIN claims c ON c.node_id = r.node_id JOIN allocations a ON a.id = c.allocation_id
  WHERE c.released_at IS NULL AND tstzrange(c.start_time, c.end_time) && r.during
    AND r.project_id IS DISTINCT FROM a.project_id)";

constexpr char kPoliciesInOrder[] = R"(
  SELECT format('the policy %s was published after %s and takes effect no later', id, before_it)
  FROM (SELECT id, effective_time, lag(id) OVER published AS before_it,
               lag(effective_time) OVER published AS effective_before
        FROM policies WHERE withdraw_time IS NULL
        WINDOW published AS (ORDER BY create_time, effective_time, id)) p
  WHERE effective_time <= effective_before)";

// Every foreign key, unique key and condition on a row, as the schema has them; looked up without
// the indexes that hold them.
constexpr char kReferencesLead[] = R"(
  SELECT format('SELECT format(%L, %s, %s) FROM %s t WHERE %s AND NOT EXISTS (SELECT FROM %s r WHERE %s)',
                '%s of ' || c.conrelid::regclass || ' refers to %s, which ' || c.confrelid::regclass || ' has not',
                k.first_key, k.own, c.conrelid::regclass, k.given, c.confrelid::regclass, k.equal)
  FROM pg_constraint c
  CROSS JOIN LATERAL (
    SELECT string_agg(format('t.%I::text', a.attname), ' || '' '' || ' ORDER BY u.place) AS own,
           string_agg(format('t.%I IS NOT NULL', a.attname), ' AND ' ORDER BY u.place) AS given,
           string_agg(format('r.%I = t.%I', f.attname, a.attname), ' AND ' ORDER BY u.place) AS equal,
           (SELECT string_agg(format('t.%I::text', p.attname), ' || '' '' || ' ORDER BY p.attnum)
            FROM pg_index i JOIN pg_attribute p ON p.attrelid = i.indrelid AND p.attnum = ANY (i.indkey)
            WHERE i.indrelid = c.conrelid AND i.indisprimary) AS first_key
    FROM unnest(c.conkey, c.confkey) WITH ORDINALITY AS u(own, other, place)
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = u.own
    JOIN pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = u.other) k
  WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace
  ORDER BY c.conrelid::regclass::text, c.conname)";

constexpr char kKeysOnce[] = R"(
  SELECT format('SELECT format(%L, count(*), %s) FROM %s GROUP BY %s HAVING count(*) > 1%s',
                '%s rows of ' || c.conrelid::regclass || ' have the key %s',
                string_agg(format('%I::text', a.attname), ' || '' '' || ' ORDER BY a.attnum),
                c.conrelid::regclass, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
                string_agg(format(' AND %I IS NOT NULL', a.attname), '' ORDER BY a.attnum))
  FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
  WHERE c.contype IN ('p', 'u') AND c.connamespace = 'public'::regnamespace
  GROUP BY c.oid, c.conrelid, c.conname
  UNION ALL
  SELECT format('SELECT format(%L, count(*), %s) FROM %s WHERE %s GROUP BY %s HAVING count(*) > 1',
                '%s rows of ' || i.indrelid::regclass || ' have the key %s',
                string_agg(format('%I::text', a.attname), ' || '' '' || ' ORDER BY a.attnum),
                i.indrelid::regclass, COALESCE(pg_get_expr(i.indpred, i.indrelid), 'true'),
                string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum))
  FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
  WHERE i.indisunique AND t.relnamespace = 'public'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
  GROUP BY i.indexrelid, i.indrelid, i.indpred ORDER BY 1)";

constexpr char kRowsKeepTheirConditions[] = R"(
  SELECT format('SELECT format(%L, t.ctid) FROM %s t WHERE NOT (%s)',
                'the row %s of ' || c.conrelid::regclass || ' breaks ' || c.conname, c.conrelid::regclass,
                pg_get_expr(c.conbin, c.conrelid))
  FROM pg_constraint c
  WHERE c.contype = 'c' AND c.conrelid <> 0 AND c.connamespace = 'public'::regnamespace
  ORDER BY c.conrelid::regclass::text, c.conname)";

constexpr char kGuardsInPlace[] = R"(
  SELECT format('the trigger %s of %s is switched off', tgname, tgrelid::regclass)
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  WHERE tgenabled NOT IN ('O', 'A') AND c.relnamespace = 'public'::regnamespace
  UNION ALL
  SELECT format('the constraint %s of %s does not hold for the rows before it', conname, conrelid::regclass)
  FROM pg_constraint WHERE NOT convalidated AND connamespace = 'public'::regnamespace
  UNION ALL
  SELECT format('the index %s is not whole', indexrelid::regclass)
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE NOT (indisvalid AND indisready AND indislive) AND c.relnamespace = 'public'::regnamespace)";

const std::array kChecks = {
    Check{"gpu_booked_once", "No GPU is booked twice for overlapping times.", kGpuBookedOnce},
    Check{"gpu_held_once", "No GPU is held by two.", kGpuHeldOnce},
    Check{"claims_are_ordered", "Whoever has GPUs has them by an order.", kClaimsAreOrdered},
    Check{"orders_once", "An attempt has one order of each kind.", kOrdersOnce},
    Check{"orders_of_known_epochs", "No order is of an epoch that has not begun.",
          kOrdersOfKnownEpochs},
    Check{"holders_have_their_gpus", "What holds GPUs, or is promised some, has what it asked for.",
          kHoldersHaveTheirGpus},
    Check{"gpus_have_their_holders",
          "What is booked is held, promised, or being taken back by an open order.",
          kGpusHaveTheirHolders},
    Check{"work_stays_in_a_cluster", "All GPUs of an allocation are of its cluster.",
          kWorkStaysInACluster},
    Check{"states_are_reached_legally", "States follow each other by the one table.",
          kStatesAreReachedLegally},
    Check{"events_tell_the_state", "The newest event of an allocation says its state.",
          kEventsTellTheState},
    Check{"quotas_held", "No project holds more GPUs than its quota.", kQuotasHeld},
    Check{"budgets_held", "No project was charged more than its budget.", kBudgetsHeld},
    Check{"set_aside_is_the_sum",
          "The GPU time set aside for a project is the sum of what its allocations ask for.",
          kSetAsideIsTheSum},
    Check{"revisions_dense", "Revisions have no gap.", kRevisionsDense},
    Check{"audit_is_a_chain", "No audit entry was changed, removed or put in.", kAuditIsAChain},
    Check{"checkpoints_fit", "What was signed of the audit is what stands there.", kCheckpointsFit},
    Check{"submissions_are_audited", "Every allocation was submitted by somebody.",
          kSubmissionsAreAudited},
    Check{"chains_in_order", "What starts after another started after that one ended.",
          kChainsInOrder},
    Check{"reservations_apart", "What is set aside is nobody's in its windows but its project's.",
          kReservationsApart},
    Check{"policies_in_order", "Policies take effect in the order they were published in.",
          kPoliciesInOrder},
    Check{"references_lead", "What a row refers to is there.", kReferencesLead, true},
    Check{"keys_once", "Keys are unique: request ids, names, numbers.", kKeysOnce, true},
    Check{"rows_keep_their_conditions", "Every row keeps the conditions of its table.",
          kRowsKeepTheirConditions, true},
    Check{"guards_in_place", "Triggers, constraints, indexes and policies are there, and in force.",
          kGuardsInPlace + (" UNION ALL " + GuardsGone())},
};

}  // namespace

std::span<const Check> Checks() { return kChecks; }

}  // namespace allot::store
