-- An allocation that starts after another of its project has ended. See docs/adr/0014.

ALTER TABLE allocations
  ADD COLUMN after_id   resource_id REFERENCES allocations (id),
  ADD COLUMN ready_time timestamptz,
  ADD CONSTRAINT allocations_after_one_of_its_project CHECK (starts_with(after_id, project_id || '/') AND after_id <> id),
  ADD CONSTRAINT allocations_ready_after_another CHECK (ready_time IS NULL OR after_id IS NOT NULL);
COMMENT ON COLUMN allocations.after_id IS 'It starts when this one has ended, however it ended; NULL for most.';
COMMENT ON COLUMN allocations.ready_time IS
  'Since when that one has ended, as the first pass after it noted; NULL before, and without after_id.';

CREATE FUNCTION refuse_start_before_predecessor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Ended: in a state that no row of the one table leads out of.
  PERFORM 1 FROM allocations p WHERE p.id = NEW.after_id
    AND NOT EXISTS (SELECT 1 FROM allocation_transitions t WHERE t.from_state = p.state);
  IF NOT FOUND THEN
    RAISE EXCEPTION '% cannot start before % has ended', NEW.id, NEW.after_id USING ERRCODE = 'AL001';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER allocations_start_after_predecessor BEFORE UPDATE OF state ON allocations
  FOR EACH ROW WHEN (NEW.after_id IS NOT NULL AND NEW.state = 'provisioning')
  EXECUTE FUNCTION refuse_start_before_predecessor();
