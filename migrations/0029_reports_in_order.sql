-- A heartbeat that was given up and came late overruled the one behind it: nodes that had broken meanwhile were ready again.
-- Reports of an agent are numbered within its session; what does not come after the newest is late. Servers of the release
-- before know no numbers, and leave these as they are.
ALTER TABLE clusters
  ADD COLUMN report_session bigint NOT NULL DEFAULT 0 CHECK (report_session >= 0),
  ADD COLUMN report_number bigint NOT NULL DEFAULT 0 CHECK (report_number >= 0);
