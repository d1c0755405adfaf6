-- What a project has set aside is kept as a sum, so that admitting a request costs the same however many wait.
-- It is what committed_gpu_seconds() finds, at every moment: see docs/adr/0027.

ALTER TABLE project_usage
  ADD COLUMN committed_gpu_seconds bigint NOT NULL DEFAULT 0 CHECK (committed_gpu_seconds >= 0);
COMMENT ON COLUMN project_usage.committed_gpu_seconds IS
  'Set aside in full for allocations that wait or hold GPUs; kept by triggers on allocations.';

-- Waiting: the most it may take. Holding: what it takes of the model it holds.
CREATE FUNCTION gpus_set_aside(asked bigint, exchanged_model text, exchanged bigint, gpu_models text[], held_model text)
RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN exchanged_model = '' THEN asked
    WHEN held_model IS NOT NULL THEN CASE WHEN held_model = exchanged_model THEN exchanged ELSE asked END
    WHEN gpu_models = ARRAY[exchanged_model] THEN exchanged
    WHEN exchanged_model = ANY (gpu_models) THEN GREATEST(asked, exchanged)
    ELSE asked END
$$;

CREATE FUNCTION holds_gpus(state text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT state IN ('provisioning', 'active', 'releasing')
$$;

-- What adds to another goes as far as that one does.
CREATE FUNCTION committed_gpu_seconds(project text) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT COALESCE(sum(
           gpus_set_aside(a.nodes::bigint * a.gpus_per_node + a.remainder_gpus, a.exchanged_model,
                          a.exchanged_nodes::bigint * a.exchanged_gpus_per_node + a.exchanged_remainder_gpus,
                          a.gpu_models, CASE WHEN holds_gpus(a.state) THEN c.gpu_model END)
           * CASE WHEN a.grows_id IS NULL THEN COALESCE(a.remaining_s, a.duration_s)
                  WHEN holds_gpus(a.state) THEN extract(epoch FROM a.window_end - a.window_start)::bigint
                  ELSE (SELECT COALESCE(b.remaining_s, b.duration_s) FROM allocations b WHERE b.id = a.grows_id) END),
         0)::bigint
  FROM allocations a LEFT JOIN clusters c ON c.id = a.cluster_id
  WHERE a.project_id = project
    AND a.state IN ('pending', 'planned', 'provisioning', 'active', 'releasing', 'preempted')
$$;

CREATE FUNCTION add_committed_gpu_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE project_usage u SET committed_gpu_seconds = u.committed_gpu_seconds + a.cost
  FROM (SELECT n.project_id,
               sum(gpus_set_aside(n.nodes::bigint * n.gpus_per_node + n.remainder_gpus, n.exchanged_model,
                                  n.exchanged_nodes::bigint * n.exchanged_gpus_per_node + n.exchanged_remainder_gpus,
                                  n.gpu_models, NULL)
                   * CASE WHEN n.grows_id IS NULL THEN n.duration_s
                          ELSE (SELECT COALESCE(b.remaining_s, b.duration_s) FROM allocations b
                                WHERE b.id = n.grows_id) END) AS cost
        FROM added n GROUP BY n.project_id) AS a
  WHERE u.project_id = a.project_id;
  RETURN NULL;
END
$$;
CREATE TRIGGER allocations_add_committed_gpu_time AFTER INSERT ON allocations
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION add_committed_gpu_time();

-- Summed up anew where it can have changed; a plan that is only told moves nothing.
CREATE FUNCTION renew_committed_gpu_time() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  projects text[];
BEGIN
  SELECT array_agg(DISTINCT a.project_id) INTO projects
  FROM new_rows a JOIN old_rows b ON b.id = a.id
  WHERE holds_gpus(a.state) <> holds_gpus(b.state)
     OR a.state IN ('completed', 'rejected', 'cancelled', 'expired', 'failed') AND a.state <> b.state
     OR a.remaining_s IS DISTINCT FROM b.remaining_s
     OR holds_gpus(a.state) AND (a.cluster_id IS DISTINCT FROM b.cluster_id
                                 OR a.grows_id IS NOT NULL AND (a.window_start, a.window_end)
                                    IS DISTINCT FROM (b.window_start, b.window_end));
  IF projects IS NULL THEN
    RETURN NULL;
  END IF;
  -- Before the sum is taken, in an order of its own: what others add meanwhile must not be lost.
  PERFORM 1 FROM project_usage u WHERE u.project_id = ANY (projects) ORDER BY u.project_id FOR NO KEY UPDATE;
  UPDATE project_usage u SET committed_gpu_seconds = committed_gpu_seconds(u.project_id)
  WHERE u.project_id = ANY (projects);
  RETURN NULL;
END
$$;
CREATE TRIGGER allocations_renew_committed_gpu_time AFTER UPDATE ON allocations
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION renew_committed_gpu_time();

UPDATE project_usage SET committed_gpu_seconds = committed_gpu_seconds(project_id);
