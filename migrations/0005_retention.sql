-- What only serves for a while may be removed: events that every reader has long seen, and request ids
-- that nobody repeats any more. The audit, allocations, claims and orders are kept.

-- Readers of the stream begin at or after it; who is further behind loads everything afresh.
ALTER TABLE revision ADD COLUMN removed_through bigint NOT NULL DEFAULT 0
  CHECK (removed_through >= 0 AND removed_through <= value);
COMMENT ON COLUMN revision.removed_through IS 'Events up to and including this revision are gone.';

-- Rows lie in the order of their time, so a few bytes a block of pages are enough to find the old ones.
CREATE INDEX requests_create_time ON requests USING brin (create_time);
