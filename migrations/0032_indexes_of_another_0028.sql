-- For a while 0028 made these under the names that 0031 drops: a database of that time has neither. Everywhere else they are there, and this does
-- nothing.
CREATE INDEX IF NOT EXISTS requests_by_create_time ON requests (create_time);
CREATE INDEX IF NOT EXISTS allocations_unfinished_by_id ON allocations (id)
  WHERE state IN ('pending', 'planned', 'provisioning', 'active', 'releasing', 'preempted');
