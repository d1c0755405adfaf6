-- Allocations and what they hold: claims on GPUs, and orders to the providers.

CREATE TABLE allocations (
  id               resource_id PRIMARY KEY,
  project_id       resource_id NOT NULL REFERENCES projects (id),
  institute_id     resource_id NOT NULL REFERENCES institutes (id),
  display_name     text NOT NULL CHECK (char_length(display_name) <= 1000),
  -- The request.
  nodes            int NOT NULL CHECK (nodes >= 1),
  gpus_per_node    int NOT NULL CHECK (gpus_per_node BETWEEN 1 AND 8),
  remainder_gpus   int NOT NULL CHECK (remainder_gpus >= 0 AND remainder_gpus < gpus_per_node),
  gpu_models       text[] NOT NULL,
  duration_s       bigint NOT NULL CHECK (duration_s BETWEEN 60 AND 366 * 86400),
  earliest_start   timestamptz,
  deadline         timestamptz,
  preemptible      boolean NOT NULL,
  -- What became of it.
  state            text NOT NULL CHECK (state IN (
                     'pending', 'planned', 'provisioning', 'active', 'releasing', 'completed',
                     'rejected', 'cancelled', 'expired', 'preempted', 'failed')),
  attempt          int NOT NULL CHECK (attempt >= 0),
  failures         int NOT NULL CHECK (failures >= 0),
  create_time      timestamptz NOT NULL,
  update_time      timestamptz NOT NULL,
  window_start     timestamptz,
  window_end       timestamptz,
  cluster_id       resource_id REFERENCES clusters (id),
  active_time      timestamptz,
  end_time         timestamptz,
  reason           text NOT NULL CHECK (char_length(reason) <= 200),
  message          text NOT NULL CHECK (char_length(message) <= 4000),
  cancel_requested boolean NOT NULL,
  version          bigint NOT NULL CHECK (version >= 1),
  CONSTRAINT allocations_id_names_its_project CHECK (starts_with(id, project_id || '/')),
  CONSTRAINT allocations_project_names_its_institute CHECK (starts_with(project_id, institute_id || '/')),
  CONSTRAINT allocations_shape_fits_a_cluster CHECK (
    nodes::bigint * gpus_per_node + remainder_gpus <= 16384 AND nodes <= 2048),
  CONSTRAINT allocations_models_each_once CHECK (
    gpu_models <@ ARRAY['B200', 'H200'] AND cardinality(gpu_models) BETWEEN 1 AND 2
    AND gpu_models[1] IS DISTINCT FROM gpu_models[2]),
  CONSTRAINT allocations_deadline_leaves_room CHECK (
    deadline >= earliest_start + make_interval(secs => duration_s)),
  CONSTRAINT allocations_window_not_empty CHECK (
    (window_start IS NULL) = (window_end IS NULL) AND window_end > window_start),
  CONSTRAINT allocations_place_known CHECK (
    state NOT IN ('planned', 'provisioning', 'active', 'releasing')
    OR (window_start IS NOT NULL AND cluster_id IS NOT NULL))
) WITH (fillfactor = 70);
COMMENT ON TABLE allocations IS 'A request of a project and all that became of it.';
CREATE INDEX allocations_project ON allocations (project_id, id);
CREATE INDEX allocations_institute ON allocations (institute_id, id);
CREATE INDEX allocations_cluster ON allocations (cluster_id, id) WHERE cluster_id IS NOT NULL;
-- What the scheduler loads and a quota is measured against; final ones pile up beside it.
CREATE INDEX allocations_unfinished ON allocations (project_id, id)
  WHERE state IN ('pending', 'planned', 'provisioning', 'active', 'releasing', 'preempted');

CREATE TABLE allocation_transitions (
  from_state text NOT NULL,
  event      text NOT NULL,
  to_state   text NOT NULL,
  PRIMARY KEY (from_state, event)
);
COMMENT ON TABLE allocation_transitions IS
  'Every legal change of state; equal to the table in the model, and a test holds them together.';
INSERT INTO allocation_transitions (from_state, event, to_state) VALUES
  ('pending', 'plan', 'planned'),
  ('pending', 'reserve', 'provisioning'),
  ('pending', 'cancel', 'cancelled'),
  ('pending', 'reject', 'rejected'),
  ('pending', 'expire', 'expired'),
  ('planned', 'unplan', 'pending'),
  ('planned', 'reserve', 'provisioning'),
  ('planned', 'cancel', 'cancelled'),
  ('planned', 'reject', 'rejected'),
  ('planned', 'expire', 'expired'),
  ('provisioning', 'provision_confirmed', 'active'),
  ('provisioning', 'provision_failed', 'preempted'),
  ('provisioning', 'release', 'releasing'),
  ('provisioning', 'cancel', 'releasing'),
  ('provisioning', 'preempt', 'preempted'),
  ('provisioning', 'fail', 'failed'),
  ('active', 'release', 'releasing'),
  ('active', 'preempt', 'preempted'),
  ('active', 'fail', 'failed'),
  ('releasing', 'release_confirmed', 'completed'),
  ('releasing', 'cancel_confirmed', 'cancelled'),
  ('preempted', 'requeue', 'pending'),
  ('preempted', 'cancel', 'cancelled'),
  ('preempted', 'fail', 'failed');

-- AL001 is ours alone, so that the store can tell this refusal from every other.
CREATE FUNCTION refuse_illegal_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    RAISE EXCEPTION 'an allocation begins as pending, not as %', NEW.state USING ERRCODE = 'AL001';
  END IF;
  PERFORM 1 FROM allocation_transitions t WHERE t.from_state = OLD.state AND t.to_state = NEW.state;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'an allocation cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'AL001';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER allocations_begin_pending BEFORE INSERT ON allocations
  FOR EACH ROW WHEN (NEW.state <> 'pending') EXECUTE FUNCTION refuse_illegal_transition();
CREATE TRIGGER allocations_legal_transition BEFORE UPDATE OF state ON allocations
  FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION refuse_illegal_transition();

CREATE TABLE claims (
  allocation_id resource_id NOT NULL REFERENCES allocations (id),
  attempt       int NOT NULL CHECK (attempt >= 0),
  node_id       resource_id NOT NULL REFERENCES nodes (id),
  -- Bit i is GPU i.
  gpu_mask      int NOT NULL CHECK (gpu_mask BETWEEN 1 AND 255),
  start_time    timestamptz NOT NULL,
  end_time      timestamptz NOT NULL,
  released_at   timestamptz,
  -- Derived, so that they cannot disagree with the columns they come from.
  -- A GiST index compares numbers three times as fast as text. Two nodes with one hash would only keep
  -- each other's GPUs from being booked; no GPU could be booked twice.
  node_hash     bigint NOT NULL GENERATED ALWAYS AS (hashtextextended(node_id, 0)) STORED,
  -- Empty ranges vanish and neighbours merge in a multirange.
  gpus          int4multirange NOT NULL GENERATED ALWAYS AS (int4multirange(
                  int4range(0, 0 + (gpu_mask & 1)),      int4range(1, 1 + (gpu_mask >> 1 & 1)),
                  int4range(2, 2 + (gpu_mask >> 2 & 1)), int4range(3, 3 + (gpu_mask >> 3 & 1)),
                  int4range(4, 4 + (gpu_mask >> 4 & 1)), int4range(5, 5 + (gpu_mask >> 5 & 1)),
                  int4range(6, 6 + (gpu_mask >> 6 & 1)), int4range(7, 7 + (gpu_mask >> 7 & 1)))) STORED,
  -- A claim given back before its start never kept anybody from anything.
  during        tstzrange NOT NULL GENERATED ALWAYS AS (
                  CASE WHEN released_at <= start_time THEN 'empty'::tstzrange
                       ELSE tstzrange(start_time, end_time) END) STORED,
  PRIMARY KEY (allocation_id, attempt, node_id),
  CONSTRAINT claims_window_not_empty CHECK (end_time > start_time),
  -- Half-open windows: a GPU can be handed over at the same instant.
  CONSTRAINT claims_never_overlap
    EXCLUDE USING gist (node_hash WITH =, gpus WITH &&, during WITH &&),
  -- What was not given back is held, however long ago its window ended.
  CONSTRAINT claims_held_by_one
    EXCLUDE USING gist (node_hash WITH =, gpus WITH &&) WHERE (released_at IS NULL)
);
COMMENT ON TABLE claims IS 'Bookings of GPUs on one node each. No two overlap in GPUs and time; no two are held at once.';
CREATE INDEX claims_open_by_allocation ON claims (allocation_id, attempt) WHERE released_at IS NULL;
CREATE INDEX claims_open_by_node ON claims (node_id, allocation_id) WHERE released_at IS NULL;

CREATE TABLE provider_orders (
  id               resource_id PRIMARY KEY,
  cluster_id       resource_id NOT NULL REFERENCES clusters (id),
  allocation_id    resource_id NOT NULL REFERENCES allocations (id),
  attempt          int NOT NULL CHECK (attempt >= 0),
  kind             text NOT NULL CHECK (kind IN ('provision', 'release')),
  state            text NOT NULL CHECK (state IN ('open', 'done', 'failed', 'superseded')),
  -- Side by side: node_ids[i] gives the GPUs of gpu_masks[i].
  node_ids         text[] NOT NULL,
  gpu_masks        int[] NOT NULL CHECK (1 <= ALL (gpu_masks) AND 255 >= ALL (gpu_masks)),
  start_time       timestamptz NOT NULL,
  end_time         timestamptz NOT NULL CHECK (end_time > start_time),
  epoch            bigint NOT NULL CHECK (epoch >= 0),
  create_time      timestamptz NOT NULL,
  acknowledge_time timestamptz,
  message          text NOT NULL CHECK (char_length(message) <= 500),
  CONSTRAINT provider_orders_nodes_sorted CHECK (
    cardinality(node_ids) > 0 AND cardinality(node_ids) = cardinality(gpu_masks) AND is_sorted_set(node_ids)),
  CONSTRAINT provider_orders_one_of_a_kind UNIQUE (allocation_id, attempt, kind)
);
COMMENT ON TABLE provider_orders IS 'What a provider is to do for one attempt of an allocation; pulled and acknowledged by its agent.';
CREATE INDEX provider_orders_open ON provider_orders (cluster_id, create_time, id) WHERE state = 'open';
CREATE INDEX provider_orders_cluster ON provider_orders (cluster_id, id);
