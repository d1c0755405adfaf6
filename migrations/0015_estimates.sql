-- What each allocation was told about its start, the first start it was told as a bound on how far it may move, and
-- urgency. See docs/adr/0016.

ALTER TABLE allocations
  ADD COLUMN told_start    timestamptz,
  ADD COLUMN overdue_under text NOT NULL DEFAULT '',
  ADD COLUMN urgent        boolean NOT NULL DEFAULT false,
  ADD COLUMN urgent_reason text NOT NULL DEFAULT '',
  ADD CONSTRAINT allocations_overdue_was_told CHECK (overdue_under = '' OR told_start IS NOT NULL),
  ADD CONSTRAINT allocations_urgent_for_a_reason CHECK (urgent = (urgent_reason <> ''));
COMMENT ON COLUMN allocations.told_start IS 'The first start it was told in this wait, once it was ranked with those it came with.';
COMMENT ON COLUMN allocations.overdue_under IS
  'The policy under which its planned start went too far past that: it goes before others while that one is in force.';
COMMENT ON COLUMN allocations.urgent IS 'An operator''s decision: it goes before all that lost no promise.';

CREATE TABLE allocation_estimates (
  number        bigint GENERATED ALWAYS AS IDENTITY,
  allocation_id resource_id NOT NULL,
  told_time     timestamptz NOT NULL,
  planned_start timestamptz,
  PRIMARY KEY (allocation_id, number)
);
COMMENT ON TABLE allocation_estimates IS
  'The planned starts an allocation had, written by a trigger: no code can forget one. Moves of less than a quarter of an hour are none.';
COMMENT ON COLUMN allocation_estimates.planned_start IS 'NULL: it had no start any more.';

-- Once a statement, not once a row: a pass moves thousands of starts at a time. Against what was told last, so that
-- small moves add up; a quarter of an hour is the finest slot of the plan's grid, and a release that is overdue moves
-- the starts behind it with every pass.
CREATE FUNCTION keep_estimates() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO allocation_estimates (allocation_id, told_time, planned_start)
  SELECT n.id, n.update_time, n.planned_start
    FROM (SELECT id, update_time, CASE WHEN state = 'planned' THEN window_start END AS planned_start
            FROM after WHERE state IN ('pending', 'planned')) n
    JOIN (SELECT id, CASE WHEN state = 'planned' THEN window_start END AS planned_start FROM before) o USING (id)
    LEFT JOIN LATERAL (SELECT true AS there, e.planned_start FROM allocation_estimates e
                        WHERE e.allocation_id = n.id ORDER BY e.number DESC LIMIT 1) last ON true
   WHERE n.planned_start IS DISTINCT FROM o.planned_start
     AND (last.there IS NULL
          OR (n.planned_start IS NULL) <> (last.planned_start IS NULL)
          OR abs(extract(epoch FROM n.planned_start - last.planned_start)) >= 900);
  RETURN NULL;
END
$$;
CREATE TRIGGER allocations_keep_estimates AFTER UPDATE ON allocations
  REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION keep_estimates();

CREATE TRIGGER allocation_estimates_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON allocation_estimates
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
