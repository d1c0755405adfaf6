-- The leaf of its cluster's network that a node hangs from, and how long a request would rather wait to have all its
-- nodes under one. See docs/adr/0012.

ALTER TABLE nodes
  ADD COLUMN leaf text NOT NULL DEFAULT '' CHECK (leaf = '' OR leaf ~ '^[a-z][a-z0-9-]{0,62}$');
COMMENT ON COLUMN nodes.leaf IS 'Nodes of a cluster with equal names hang from the same leaf; empty: not known.';

ALTER TABLE allocations
  ADD COLUMN same_leaf_wait_s bigint NOT NULL DEFAULT 0 CHECK (same_leaf_wait_s >= 0);
COMMENT ON COLUMN allocations.same_leaf_wait_s IS 'How much later it would rather start if all its nodes hang from one leaf.';
