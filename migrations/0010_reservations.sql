-- Nodes that operators set aside ahead of time, and dates on which clusters join and leave. See docs/adr/0010.

ALTER TABLE clusters
  ADD COLUMN join_time  timestamptz,
  ADD COLUMN leave_time timestamptz,
  ADD CONSTRAINT clusters_join_before_they_leave CHECK (leave_time > join_time);
COMMENT ON COLUMN clusters.join_time IS 'Nothing runs on it before; it is planned from then on.';
COMMENT ON COLUMN clusters.leave_time IS 'All of it is handed back by then.';

CREATE TABLE reservations (
  id            resource_id PRIMARY KEY,
  cluster_id    resource_id NOT NULL REFERENCES clusters (id),
  project_id    resource_id REFERENCES projects (id),
  display_name  text NOT NULL CHECK (char_length(display_name) <= 1000),
  node_ids      text[] NOT NULL CHECK (cardinality(node_ids) > 0 AND is_sorted_set(node_ids)),
  start_time    timestamptz NOT NULL,
  end_time      timestamptz NOT NULL CHECK (end_time > start_time),
  repeat_every_s bigint NOT NULL CHECK (repeat_every_s >= 0),
  occurrences   int NOT NULL CHECK (occurrences BETWEEN 1 AND 400),
  create_time   timestamptz NOT NULL,
  cancel_time   timestamptz,
  version       bigint NOT NULL CHECK (version >= 1),
  CONSTRAINT reservations_id_names_its_cluster CHECK (starts_with(id, cluster_id || '/')),
  CONSTRAINT reservations_windows_apart CHECK (
    occurrences = 1 OR start_time + make_interval(secs => repeat_every_s) >= end_time)
);
COMMENT ON TABLE reservations IS 'Whole nodes set aside for windows of time: for a project, or for nobody (maintenance).';
COMMENT ON COLUMN reservations.project_id IS 'Whose allocations alone may run on them; NULL: nobody''s.';
CREATE INDEX reservations_cluster ON reservations (cluster_id, id);

CREATE TABLE reserved_nodes (
  reservation_id resource_id NOT NULL REFERENCES reservations (id),
  node_id        resource_id NOT NULL REFERENCES nodes (id),
  project_id     resource_id,
  during         tstzmultirange NOT NULL CHECK (NOT isempty(during)),
  PRIMARY KEY (reservation_id, node_id),
  CONSTRAINT reserved_nodes_never_overlap EXCLUDE USING gist (node_id WITH =, during WITH &&)
);
COMMENT ON TABLE reserved_nodes IS 'The nodes of reservations that were not cancelled, each with all its windows.';

-- Claims and reservations are rows of two tables, so no exclusion constraint can keep them apart. Each side looks for
-- the other, and a lock on the nodes makes one wait for the other: a claim's foreign key takes FOR KEY SHARE, which
-- FOR UPDATE does not go with. 23P01, as if it were one constraint.
CREATE FUNCTION refuse_claims_on_reserved_nodes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM added c
    JOIN reserved_nodes r ON r.node_id = c.node_id AND r.during && c.during
    JOIN allocations a ON a.id = c.allocation_id
   WHERE r.project_id IS DISTINCT FROM a.project_id;
  IF FOUND THEN
    RAISE EXCEPTION 'a node is set aside for others' USING ERRCODE = '23P01';
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER claims_keep_off_reserved_nodes AFTER INSERT ON claims
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_claims_on_reserved_nodes();

CREATE FUNCTION refuse_reservations_on_claims() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM nodes n WHERE n.id IN (SELECT node_id FROM added) ORDER BY n.id FOR UPDATE;
  PERFORM 1 FROM added r
    JOIN claims c ON c.node_id = r.node_id AND c.released_at IS NULL AND c.during && r.during
    JOIN allocations a ON a.id = c.allocation_id
   WHERE r.project_id IS DISTINCT FROM a.project_id;
  IF FOUND THEN
    RAISE EXCEPTION 'a node is booked by others' USING ERRCODE = '23P01';
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER reserved_nodes_keep_off_claims AFTER INSERT ON reserved_nodes
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_reservations_on_claims();

ALTER TABLE events
  DROP CONSTRAINT events_kind_check,
  ADD CONSTRAINT events_kind_check CHECK (kind IN (
    'provider', 'cluster', 'node', 'institute', 'project', 'quota', 'allocation', 'reservation'));
