-- What the installation says of its audit, signed; and the audit's old end, which goes when the policy no longer keeps it.
-- See docs/adr/0037.
CREATE TABLE audit_checkpoints (
  number    bigint NOT NULL CHECK (number >= 1),
  kind      text NOT NULL CHECK (kind IN ('reached', 'removed')),
  hash      bytea NOT NULL CHECK (octet_length(hash) = 32),
  sign_time timestamptz NOT NULL,
  signer    text NOT NULL CHECK (signer ~ '^[0-9a-f]{16}$'),
  signature bytea NOT NULL CHECK (octet_length(signature) = 64),
  PRIMARY KEY (number, kind)
);
COMMENT ON TABLE audit_checkpoints IS 'Signed: this entry stood there with this hash; or those up to it were removed.';

CREATE FUNCTION check_audit_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM audit_entries e WHERE e.number = NEW.number AND e.hash = NEW.hash) THEN
    RAISE EXCEPTION 'a checkpoint is of an entry as it stands' USING ERRCODE = 'AL002';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER audit_checkpoints_fit BEFORE INSERT ON audit_checkpoints FOR EACH ROW EXECUTE FUNCTION check_audit_checkpoint();
CREATE TRIGGER audit_checkpoints_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoints
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE audit_chain
  ADD COLUMN removed_through bigint NOT NULL DEFAULT 0,
  ADD COLUMN removed_hash    bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(removed_hash) = 32),
  -- Of the newest entry that was removed; what happened before has no entry any more.
  ADD COLUMN removed_time    timestamptz,
  ADD CONSTRAINT audit_chain_keeps_its_head CHECK (removed_through >= 0 AND removed_through <= number);

-- Entries are added, or the old end is removed as a signed checkpoint says; nothing else happens to the chain.
CREATE OR REPLACE FUNCTION refuse_audit_rewind() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NEW.number > OLD.number AND NEW.removed_through = OLD.removed_through AND NEW.removed_hash = OLD.removed_hash
       AND NEW.removed_time IS NOT DISTINCT FROM OLD.removed_time THEN
      RETURN NEW;
    END IF;
    IF NEW.number = OLD.number AND NEW.hash = OLD.hash AND NEW.removed_through > OLD.removed_through
       AND EXISTS (SELECT FROM audit_checkpoints c WHERE c.kind = 'removed' AND c.number = NEW.removed_through
                                                    AND c.hash = NEW.removed_hash) THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'the audit goes forward only' USING ERRCODE = 'AL002';
END
$$;

DROP TRIGGER audit_entries_append_only ON audit_entries;
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR TRUNCATE ON audit_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE FUNCTION refuse_removal_of_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.number > (SELECT removed_through FROM audit_chain) THEN
    RAISE EXCEPTION 'audit_entries is append-only' USING ERRCODE = 'AL002';
  END IF;
  RETURN OLD;
END
$$;
CREATE TRIGGER audit_entries_removed_as_signed BEFORE DELETE ON audit_entries
  FOR EACH ROW EXECUTE FUNCTION refuse_removal_of_audit();
COMMENT ON TABLE audit_entries IS 'Who did what: triggers refuse every change, and every removal that no signed checkpoint allows.';

GRANT SELECT, INSERT ON audit_checkpoints TO allot_server;
GRANT DELETE ON audit_entries TO allot_server;
ALTER TABLE audit_checkpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_checkpoints FORCE ROW LEVEL SECURITY;
CREATE POLICY within_scope ON audit_checkpoints USING ((SELECT scope_is_everything()));

-- Two years, for the policies that were published before there was a choice.
ALTER TABLE policies DISABLE TRIGGER policies_withdrawn_once;
UPDATE policies SET settings = settings || '{"audit_retention": 63072000}';
ALTER TABLE policies ENABLE TRIGGER policies_withdrawn_once;
