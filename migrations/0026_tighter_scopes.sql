-- What a review of row-level security and of locks found. See docs/robustness.md, "Bugs found".

-- In an order of its own, as renew_committed_gpu_time does: two that insert for the same projects must not wait for each other.
CREATE OR REPLACE FUNCTION add_committed_gpu_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM project_usage u WHERE u.project_id IN (SELECT n.project_id FROM added n)
    ORDER BY u.project_id FOR NO KEY UPDATE;
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

-- Institutes neither see nor make members: people are added by staff. Everybody is still told who they are (policy own).
DROP POLICY within_scope ON members;
CREATE POLICY within_scope ON members USING ((SELECT scope_is_everything()));

-- A provider's report looks at tenants and locks a project. It enters none, and changes nothing of them.
DO $$
DECLARE
  narrowed record;
BEGIN
  FOR narrowed IN SELECT * FROM (VALUES
    ('institutes', 'id = ANY ((SELECT scope_institutes())::text[])'),
    ('projects',   'institute_id = ANY ((SELECT scope_institutes())::text[])'),
    ('quotas',     'first_of_id(project_id) = ANY ((SELECT scope_institutes())::text[])')
  ) AS t(name, of_institute) LOOP
    EXECUTE format('DROP POLICY within_scope ON %I', narrowed.name);
    EXECUTE format('CREATE POLICY within_scope ON %I USING ((SELECT scope_is_everything()) OR %s)', narrowed.name,
                   narrowed.of_institute);
    EXECUTE format('CREATE POLICY seen_by_providers ON %I FOR SELECT USING ((SELECT scope_provider()) IS NOT NULL)',
                   narrowed.name);
  END LOOP;
END
$$;
CREATE POLICY locked_by_providers ON projects FOR UPDATE USING ((SELECT scope_provider()) IS NOT NULL) WITH CHECK (false);

-- Keys that were exchanged for each other are one person's, who cannot be his own second one.
ALTER TABLE api_keys ADD COLUMN line_id resource_id;
COMMENT ON COLUMN api_keys.line_id IS 'Of one that took another''s place: the first of those that were exchanged for each other.';
