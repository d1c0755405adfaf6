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

-- GPUs held beyond a project's quota, which are taken back for those within theirs.
ALTER TABLE allocations
  ADD COLUMN borrow boolean NOT NULL DEFAULT false,
  ADD CONSTRAINT allocations_borrowed_are_taken_back CHECK (NOT borrow OR preemptible);
COMMENT ON COLUMN allocations.borrow IS 'It may hold GPUs beyond its project''s concurrent quota; behind all within theirs.';

-- What was published before says nothing of these: by it nobody borrows, a project may have as many stopped as
-- before, and plans are not improved on.
ALTER TABLE policies DISABLE TRIGGER policies_withdrawn_once;
UPDATE policies SET settings = settings || '{"tie_seed": 0, "borrowed_gpus_max": 0, "preemptions_per_project": 1000, "improver_rounds": 0, "improver_delay_max": 0}';
ALTER TABLE policies ENABLE TRIGGER policies_withdrawn_once;
