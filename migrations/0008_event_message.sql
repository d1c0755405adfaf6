-- A change keeps its own words: an allocation may have moved on long before its watcher reads why it moved.
ALTER TABLE events
  ADD COLUMN reason  text NOT NULL DEFAULT '' CHECK (char_length(reason) <= 200),
  ADD COLUMN message text NOT NULL DEFAULT '' CHECK (char_length(message) <= 4000);
COMMENT ON COLUMN events.message IS 'Of allocations: why, as it was said at this change; empty of all else.';
