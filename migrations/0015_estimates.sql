-- What each allocation was told about its start, the first start it was told as a bound on how far it may move, and
-- urgency. See docs/adr/0016.

ALTER TABLE allocations
  ADD COLUMN told_start timestamptz,
  ADD COLUMN overdue    boolean NOT NULL DEFAULT false,
  ADD COLUMN urgent     boolean NOT NULL DEFAULT false,
  ADD CONSTRAINT allocations_overdue_was_told CHECK (NOT overdue OR told_start IS NOT NULL);
COMMENT ON COLUMN allocations.told_start IS 'The first start it was told in this wait, once it was ranked with those it came with.';
COMMENT ON COLUMN allocations.overdue IS 'Its planned start went further past that than the policy allows: it goes before others.';
COMMENT ON COLUMN allocations.urgent IS 'An operator''s decision: it goes before all that were promised nothing.';

CREATE TABLE allocation_estimates (
  number        bigint GENERATED ALWAYS AS IDENTITY,
  allocation_id resource_id NOT NULL,
  told_time     timestamptz NOT NULL,
  planned_start timestamptz,
  PRIMARY KEY (allocation_id, number)
);
COMMENT ON TABLE allocation_estimates IS 'Every planned start an allocation ever had, written by a trigger: no code can forget one.';
COMMENT ON COLUMN allocation_estimates.planned_start IS 'NULL: it had no start any more.';

-- Once a statement, not once a row: a pass moves thousands of starts at a time.
CREATE FUNCTION keep_estimates() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO allocation_estimates (allocation_id, told_time, planned_start)
  SELECT n.id, n.update_time, n.planned_start
    FROM (SELECT id, update_time, state, CASE WHEN state = 'planned' THEN window_start END AS planned_start
            FROM after WHERE state IN ('pending', 'planned')) n
    JOIN (SELECT id, CASE WHEN state = 'planned' THEN window_start END AS planned_start FROM before) o USING (id)
   WHERE n.planned_start IS DISTINCT FROM o.planned_start;
  RETURN NULL;
END
$$;
CREATE TRIGGER allocations_keep_estimates AFTER UPDATE ON allocations
  REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION keep_estimates();

CREATE TRIGGER allocation_estimates_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON allocation_estimates
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
