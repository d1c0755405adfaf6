-- What a review of statements over years of rows found. See docs/robustness.md, "Bugs found". Who writes to a table waits for as
-- long as its index is made; who reads does not. What these indexes replace goes in a migration of
-- its own, which needs a lock against readers, for a moment.

-- A BRIN index forgets nothing: once the pages of removed rows are filled again, each of its ranges says that it may hold
-- old ones, and all of them are read.
CREATE INDEX requests_by_create_time ON requests (create_time);

-- Lists go by the id. It begins with the project's, so a project's are found in it, too.
CREATE INDEX allocations_unfinished_by_id ON allocations (id)
  WHERE state IN ('pending', 'planned', 'provisioning', 'active', 'releasing', 'preempted');
CREATE INDEX provider_orders_open_by_id ON provider_orders (id) WHERE state = 'open';

-- What adds to another goes as far as that one does.
CREATE OR REPLACE FUNCTION committed_gpu_seconds(project text) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT COALESCE(sum(
           gpus_set_aside(a.nodes::bigint * a.gpus_per_node + a.remainder_gpus, a.exchanged_model,
                          a.exchanged_nodes::bigint * a.exchanged_gpus_per_node + a.exchanged_remainder_gpus,
                          a.gpu_models, CASE WHEN holds_gpus(a.state) THEN c.gpu_model END)
           * CASE WHEN a.grows_id IS NULL THEN COALESCE(a.remaining_s, a.duration_s)
                  WHEN holds_gpus(a.state) THEN extract(epoch FROM a.window_end - a.window_start)::bigint
                  ELSE (SELECT COALESCE(b.remaining_s, b.duration_s) FROM allocations b WHERE b.id = a.grows_id) END),
         0)::bigint
  FROM allocations a LEFT JOIN clusters c ON c.id = a.cluster_id
  WHERE a.id > project || '/' AND a.id < project || '0'
    AND a.state IN ('pending', 'planned', 'provisioning', 'active', 'releasing', 'preempted')
$$;
