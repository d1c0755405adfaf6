-- Calls that nobody makes alone: one person asks, another decides, the same call then goes through once. See docs/adr/0036.
CREATE TABLE proposals (
  id              resource_id PRIMARY KEY,
  method          text NOT NULL CHECK (method <> ''),
  digest          text COLLATE "C" NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
  request         text NOT NULL CHECK (octet_length(request) <= 65536),
  proposer_key_id resource_id NOT NULL,
  create_time     timestamptz NOT NULL,
  expire_time     timestamptz NOT NULL CHECK (expire_time > create_time),
  decider_key_id  resource_id,
  approved        boolean,
  decide_time     timestamptz,
  decide_reason   text NOT NULL,
  done_time       timestamptz,
  version         bigint NOT NULL CHECK (version >= 1),
  CONSTRAINT proposals_decided_by_another CHECK (decider_key_id <> proposer_key_id),
  CONSTRAINT proposals_decided_whole CHECK (
    (decider_key_id IS NULL) = (approved IS NULL) AND (decider_key_id IS NULL) = (decide_time IS NULL)),
  CONSTRAINT proposals_done_as_approved CHECK (done_time IS NULL OR approved IS TRUE)
);
COMMENT ON TABLE proposals IS 'Calls that wait for a second person, and what became of them. Kept: they are part of the record.';
CREATE INDEX proposals_of_call ON proposals (digest, id) WHERE done_time IS NULL;

-- The first decision stands, and what was asked is what was decided.
CREATE FUNCTION refuse_change_of_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.method, NEW.digest, NEW.request, NEW.proposer_key_id, NEW.create_time, NEW.expire_time)
     IS DISTINCT FROM (OLD.id, OLD.method, OLD.digest, OLD.request, OLD.proposer_key_id, OLD.create_time, OLD.expire_time)
     OR OLD.decider_key_id IS NOT NULL AND (NEW.decider_key_id, NEW.approved, NEW.decide_time, NEW.decide_reason)
        IS DISTINCT FROM (OLD.decider_key_id, OLD.approved, OLD.decide_time, OLD.decide_reason)
     OR OLD.done_time IS NOT NULL THEN
    RAISE EXCEPTION 'a proposal is decided once' USING ERRCODE = 'AL002';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER proposals_decided_once BEFORE UPDATE ON proposals
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_decision();
CREATE TRIGGER proposals_kept BEFORE DELETE OR TRUNCATE ON proposals
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT, UPDATE ON proposals TO allot_server;
ALTER TABLE proposals ENABLE ROW LEVEL SECURITY;
ALTER TABLE proposals FORCE ROW LEVEL SECURITY;
CREATE POLICY within_scope ON proposals USING ((SELECT scope_is_everything()));
