-- The pool: who operates machines, which clusters they form, and every node in them.
--
-- Ids are compared bytewise (COLLATE "C"), as the code does, so that pages and sorts agree with it.
-- Constraints that a caller can never trip are the second half of a pair: the model refuses first,
-- and the database makes sure that no bug above it can store what the model would refuse.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE DOMAIN resource_id AS text COLLATE "C"
  CHECK (octet_length(VALUE) BETWEEN 1 AND 255);
COMMENT ON DOMAIN resource_id IS 'An identifier, compared bytewise.';

-- The code knows instants as microseconds since 1970, exactly what timestamptz holds. A float on the
-- way would lose the last digits, hence whole hours and the rest apart.
CREATE FUNCTION instant(micros bigint) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT timestamptz '1970-01-01 00:00:00+00' + make_interval(hours => (micros / 3600000000)::int)
         + (micros % 3600000000) * interval '1 microsecond'
$$;
CREATE FUNCTION micros(t timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT (extract(epoch FROM t) * 1000000)::bigint
$$;

CREATE FUNCTION is_sorted_set(items text[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT items IS NOT DISTINCT FROM
         (SELECT array_agg(DISTINCT item COLLATE "C" ORDER BY item COLLATE "C") FROM unnest(items) AS item)
$$;

CREATE TABLE providers (
  id           resource_id PRIMARY KEY,
  display_name text NOT NULL CHECK (char_length(display_name) <= 1000),
  version      bigint NOT NULL CHECK (version >= 1)
);
COMMENT ON TABLE providers IS 'Who operates the machines.';

CREATE TABLE clusters (
  id                   resource_id PRIMARY KEY,
  provider_id          resource_id NOT NULL REFERENCES providers (id),
  display_name         text NOT NULL CHECK (char_length(display_name) <= 1000),
  gpu_model            text NOT NULL CHECK (gpu_model IN ('B200', 'H200')),
  programmes           text[] NOT NULL CHECK (cardinality(programmes) > 0 AND is_sorted_set(programmes)),
  agent_session        bigint NOT NULL CHECK (agent_session >= 0),
  inventory_generation bigint NOT NULL CHECK (inventory_generation >= 0),
  last_heartbeat       timestamptz,
  version              bigint NOT NULL CHECK (version >= 1)
) WITH (fillfactor = 50);  -- Heartbeats rewrite these few rows all the time: room to do so in place.
COMMENT ON TABLE clusters IS 'One fabric of equal nodes each; work on several nodes never leaves it.';
CREATE INDEX clusters_provider ON clusters (provider_id, id);

CREATE TABLE nodes (
  id         resource_id PRIMARY KEY,
  cluster_id resource_id NOT NULL REFERENCES clusters (id),
  health     text NOT NULL CHECK (health IN ('ready', 'unknown', 'down', 'removed')),
  draining   boolean NOT NULL,
  reason     text NOT NULL CHECK (char_length(reason) <= 4000),
  version    bigint NOT NULL CHECK (version >= 1),
  CONSTRAINT nodes_id_names_its_cluster CHECK (starts_with(id, cluster_id || '/'))
);
COMMENT ON TABLE nodes IS 'Machines with eight GPUs each. Never deleted: claims of the past refer to them.';
CREATE INDEX nodes_cluster ON nodes (cluster_id, id);
