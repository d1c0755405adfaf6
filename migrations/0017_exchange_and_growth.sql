-- Requests that take as much of one model or of another as does the same work (docs/adr/0021), and requests that grow.

-- Written at submission, by the policy of that day: '' and zeros where it takes as much of every model.
ALTER TABLE allocations
  ADD COLUMN exchanged_model          text NOT NULL DEFAULT '' CHECK (exchanged_model IN ('', 'B200', 'H200')),
  ADD COLUMN exchanged_nodes          int NOT NULL DEFAULT 0,
  ADD COLUMN exchanged_gpus_per_node  int NOT NULL DEFAULT 0,
  ADD COLUMN exchanged_remainder_gpus int NOT NULL DEFAULT 0,
  ADD CONSTRAINT allocations_exchanged_shape CHECK (
    CASE WHEN exchanged_model = '' THEN exchanged_nodes = 0 AND exchanged_gpus_per_node = 0 AND exchanged_remainder_gpus = 0
         ELSE exchanged_nodes BETWEEN 1 AND 2048 AND exchanged_gpus_per_node BETWEEN 1 AND 8
              AND exchanged_remainder_gpus >= 0 AND exchanged_remainder_gpus < exchanged_gpus_per_node
              AND exchanged_nodes::bigint * exchanged_gpus_per_node + exchanged_remainder_gpus <= 16384 END);
COMMENT ON COLUMN allocations.exchanged_model IS
  'Of this model it takes the exchanged shape, of the other what it asked for; empty: as much of either.';

-- What adds GPUs to another of its project while that one runs. See docs/adr/0022.
ALTER TABLE allocations
  ADD COLUMN gpus_max int NOT NULL DEFAULT 0
    CHECK (gpus_max = 0 OR (gpus_max <= 16384 AND gpus_max > nodes::bigint * gpus_per_node + remainder_gpus)),
  ADD COLUMN grows_id resource_id REFERENCES allocations (id),
  ADD CONSTRAINT allocations_grow_one_of_their_project CHECK (starts_with(grows_id, project_id || '/') AND grows_id <> id),
  ADD CONSTRAINT allocations_growth_is_flat CHECK (grows_id IS NULL OR (gpus_max = 0 AND after_id IS NULL AND NOT promised));
COMMENT ON COLUMN allocations.gpus_max IS 'It may grow to so many GPUs in all; 0: it does not grow.';
COMMENT ON COLUMN allocations.grows_id IS 'It adds to this one, in its cluster and until the end of its window; NULL for most.';
CREATE INDEX allocations_grows ON allocations (grows_id) WHERE grows_id IS NOT NULL;

CREATE FUNCTION refuse_growth_without_base() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- The lock keeps the base as it is until this is committed; who starts growth holds it already.
  PERFORM 1 FROM allocations b WHERE b.id = NEW.grows_id AND b.state IN ('provisioning', 'active')
    AND b.cluster_id = NEW.cluster_id AND b.window_end >= NEW.window_end FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION '% cannot be added to %, which does not run there for so long', NEW.id, NEW.grows_id
      USING ERRCODE = 'AL001';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER allocations_grow_while_base_runs BEFORE UPDATE OF state ON allocations
  FOR EACH ROW WHEN (NEW.grows_id IS NOT NULL AND NEW.state = 'provisioning' AND OLD.state <> 'provisioning')
  EXECUTE FUNCTION refuse_growth_without_base();

-- What was published before says nothing of these: by the programme's caps a B200 is worth two H200.
ALTER TABLE policies DISABLE TRIGGER policies_withdrawn_once;
UPDATE policies SET settings = settings || '{"b200_worth_permille": 2000, "growth_min": 3600}';
ALTER TABLE policies ENABLE TRIGGER policies_withdrawn_once;
