-- What a review of budgets and of calls that take two persons found. See docs/robustness.md, "Bugs found".

-- What adds to another goes as far as that one does, or as what is left of it once it was stopped: what it ran before is
-- charged. Rows that exist have nothing left over, so every sum stays what it is. LEAST passes over NULL.
CREATE OR REPLACE FUNCTION committed_gpu_seconds(project text) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT COALESCE(sum(
           gpus_set_aside(a.nodes::bigint * a.gpus_per_node + a.remainder_gpus, a.exchanged_model,
                          a.exchanged_nodes::bigint * a.exchanged_gpus_per_node + a.exchanged_remainder_gpus,
                          a.gpu_models, CASE WHEN holds_gpus(a.state) THEN c.gpu_model END)
           * CASE WHEN a.grows_id IS NULL THEN COALESCE(a.remaining_s, a.duration_s)
                  WHEN holds_gpus(a.state) THEN extract(epoch FROM a.window_end - a.window_start)::bigint
                  ELSE LEAST(a.remaining_s,
                             (SELECT COALESCE(b.remaining_s, b.duration_s) FROM allocations b WHERE b.id = a.grows_id)) END),
         0)::bigint
  FROM allocations a LEFT JOIN clusters c ON c.id = a.cluster_id
  WHERE a.id > project || '/' AND a.id < project || '0'
    AND a.state IN ('pending', 'planned', 'provisioning', 'active', 'releasing', 'preempted')
$$;

-- A call waits for a second person once at any time. Where it was put before one twice, the one that came later is turned down.
UPDATE proposals p
SET decider_key_id = 'system', approved = false, decide_time = p.create_time,
    decide_reason = 'the same call was put before a second person already', version = p.version + 1
WHERE p.decider_key_id IS NULL
  AND EXISTS (SELECT FROM proposals e
              WHERE e.digest = p.digest AND e.decider_key_id IS NULL AND (e.create_time, e.id) < (p.create_time, p.id)
                AND e.create_time < p.expire_time AND p.create_time < e.expire_time);
ALTER TABLE proposals ADD CONSTRAINT proposals_wait_once
  EXCLUDE USING gist (digest WITH =, tstzrange(create_time, expire_time) WITH &&) WHERE (decider_key_id IS NULL);

-- What failed comes behind what was not tried: a thousand releases that fail, each pulled again, must not hide what is new.
-- Takes a lock against writers for as long as it is made.
CREATE INDEX provider_orders_in_turn ON provider_orders (cluster_id, acknowledge_time NULLS FIRST, create_time, id)
  WHERE state = 'open';
