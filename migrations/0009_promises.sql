-- A promised start is a booking ahead: claims with a window in the future, under the constraint that keeps
-- all bookings apart, but not held yet. See docs/adr/0009.
ALTER TABLE allocations
  ADD COLUMN promised boolean NOT NULL DEFAULT false,
  ADD CONSTRAINT allocations_promised_is_planned CHECK (NOT promised OR state = 'planned'),
  -- What promised claims refer to: it is there exactly as long as the promise is.
  ADD COLUMN promise text GENERATED ALWAYS AS (CASE WHEN promised THEN id END) STORED,
  ADD CONSTRAINT allocations_promise_once UNIQUE (promise);
COMMENT ON COLUMN allocations.promised IS 'Its window is a promise, not a forecast: claims are booked for it.';

ALTER TABLE claims
  ADD COLUMN promised boolean NOT NULL DEFAULT false,
  ADD COLUMN promise  text GENERATED ALWAYS AS (CASE WHEN promised THEN allocation_id END) STORED,
  ADD CONSTRAINT claims_promise_is_alive FOREIGN KEY (promise) REFERENCES allocations (promise)
    DEFERRABLE INITIALLY DEFERRED,
  ADD CONSTRAINT claims_promise_is_not_released CHECK (NOT promised OR released_at IS NULL),
  DROP CONSTRAINT claims_held_by_one,
  -- What was not given back is held, however long ago its window ended; what is promised is not held yet.
  ADD CONSTRAINT claims_held_by_one
    EXCLUDE USING gist (node_hash WITH =, gpus WITH &&) WHERE (released_at IS NULL AND NOT promised);
COMMENT ON COLUMN claims.promised IS
  'Booked for the next attempt, not held: replaced when the promise moves up, removed when it ends.';
CREATE INDEX claims_promised ON claims (allocation_id) WHERE promised;
