-- Room made for one that waits by moving work that may be stopped. See docs/adr/0017.

ALTER TABLE allocations
  ADD COLUMN moved              boolean NOT NULL DEFAULT false,
  ADD COLUMN consolidate        boolean NOT NULL DEFAULT false,
  ADD COLUMN consolidate_reason text NOT NULL DEFAULT '',
  ADD CONSTRAINT allocations_consolidate_for_a_reason CHECK (consolidate = (consolidate_reason <> '')),
  ADD CONSTRAINT allocations_consolidate_moves_others CHECK (NOT (consolidate AND preemptible));
COMMENT ON COLUMN allocations.moved IS 'It was stopped to go on elsewhere at once, and goes before others until it does.';
COMMENT ON COLUMN allocations.consolidate IS
  'An operator''s decision: running work that may be stopped is moved so that it can start. Taken back when it starts.';

-- What was published before says nothing of these: by it a project may have as many stopped as before, and plans are
-- not improved on.
ALTER TABLE policies DISABLE TRIGGER policies_withdrawn_once;
UPDATE policies SET settings = settings || '{"preemptions_per_project": 1000, "improver_rounds": 0, "improver_delay_max": 0}';
ALTER TABLE policies ENABLE TRIGGER policies_withdrawn_once;
