-- Running work that is stopped for others: its window is ended early, and what is left of it waits again.
-- See docs/adr/0013.

ALTER TABLE allocations
  ADD COLUMN preempt_requested boolean NOT NULL DEFAULT false,
  ADD COLUMN preemptions       int NOT NULL DEFAULT 0 CHECK (preemptions >= 0),
  ADD COLUMN remaining_s       bigint CHECK (remaining_s > 0 AND remaining_s < duration_s),
  ADD COLUMN preempt_time      timestamptz,
  ADD CONSTRAINT allocations_stopped_only_if_preemptible CHECK (preemptible OR preemptions = 0),
  ADD CONSTRAINT allocations_stopped_while_they_run CHECK (
    NOT preempt_requested OR state IN ('active', 'releasing', 'preempted'));
COMMENT ON COLUMN allocations.preempt_requested IS 'Its window was ended early for others; it waits again afterwards.';
COMMENT ON COLUMN allocations.preemptions IS 'How often its window was ended early for others.';
COMMENT ON COLUMN allocations.remaining_s IS 'What is left of duration_s after that; NULL before the first time.';
COMMENT ON COLUMN allocations.preempt_time IS
  'Since when it waits after that; NULL when it last lost its GPUs otherwise, or never.';

INSERT INTO allocation_transitions (from_state, event, to_state) VALUES ('releasing', 'preempt', 'preempted');
