-- A drain of a cluster and a drain of one of its nodes are two decisions, each with its reason: ending
-- one leaves the other, and nodes that join a draining cluster are drained with it. What the provider
-- says of a node's health no longer shares a column with either.

ALTER TABLE clusters
  ADD COLUMN draining     boolean NOT NULL DEFAULT false,
  ADD COLUMN drain_reason text NOT NULL DEFAULT '' CHECK (char_length(drain_reason) <= 4000);

ALTER TABLE nodes
  ADD COLUMN drain_reason text NOT NULL DEFAULT '' CHECK (char_length(drain_reason) <= 4000);
UPDATE nodes SET drain_reason = reason, reason = '' WHERE draining AND health = 'ready';
