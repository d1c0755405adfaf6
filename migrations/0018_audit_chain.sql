-- The audit is a chain: every entry carries a hash of itself and of the one before, so that no entry can be changed,
-- removed or put in without all that follow showing it. See docs/adr/0024.

-- Length before text: no two different entries run into the same bytes. `allot audit verify` works this out by itself.
CREATE FUNCTION audit_hash(previous bytea, parts text[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT sha256(previous || convert_to(string_agg(octet_length(part) || ':' || part || ',', '' ORDER BY place), 'UTF8'))
  FROM unnest(parts) WITH ORDINALITY AS p(part, place)
$$;

CREATE TABLE audit_chain (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  number   bigint NOT NULL CHECK (number >= 0),
  hash     bytea NOT NULL CHECK (octet_length(hash) = 32)
) WITH (fillfactor = 50);
COMMENT ON TABLE audit_chain IS
  'Number and hash of the newest audit entry; zeros before the first. Locked from the entry to the end of the commit.';
INSERT INTO audit_chain (number, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

-- Numbers were given by a sequence, which leaves gaps: from now on a gap is an entry that was removed.
ALTER TABLE audit_entries ALTER COLUMN number DROP IDENTITY;
ALTER TABLE audit_entries ADD COLUMN hash bytea CHECK (octet_length(hash) = 32);
ALTER TABLE audit_entries DISABLE TRIGGER audit_entries_append_only;
UPDATE audit_entries e SET number = -r.place
  FROM (SELECT number, row_number() OVER (ORDER BY number) AS place FROM audit_entries) r WHERE e.number = r.number;
DO $$
DECLARE
  entry audit_entries;
  link  bytea := decode(repeat('00', 32), 'hex');
BEGIN
  FOR entry IN SELECT * FROM audit_entries ORDER BY number DESC LOOP
    link := audit_hash(link, ARRAY[(-entry.number)::text, micros(entry.entry_time)::text, entry.key_id, entry.actor,
                                   entry.action, entry.resource, entry.institute_id, entry.detail, entry.request_id]);
    UPDATE audit_entries SET number = -entry.number, hash = link WHERE number = entry.number;
    UPDATE audit_chain SET number = -entry.number, hash = link;
  END LOOP;
END
$$;
ALTER TABLE audit_entries ALTER COLUMN hash SET NOT NULL;
ALTER TABLE audit_entries ENABLE TRIGGER audit_entries_append_only;

CREATE FUNCTION chain_audit_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  last audit_chain;
BEGIN
  SELECT * INTO STRICT last FROM audit_chain FOR UPDATE;
  NEW.number := last.number + 1;
  NEW.hash := audit_hash(last.hash, ARRAY[NEW.number::text, micros(NEW.entry_time)::text, NEW.key_id, NEW.actor, NEW.action,
                                          NEW.resource, NEW.institute_id, NEW.detail, NEW.request_id]);
  UPDATE audit_chain SET number = NEW.number, hash = NEW.hash;
  RETURN NEW;
END
$$;
CREATE TRIGGER audit_entries_chained BEFORE INSERT ON audit_entries
  FOR EACH ROW EXECUTE FUNCTION chain_audit_entry();

CREATE FUNCTION refuse_audit_rewind() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'UPDATE' OR NEW.number <= OLD.number THEN
    RAISE EXCEPTION 'the audit goes forward only' USING ERRCODE = 'AL002';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER audit_chain_goes_forward BEFORE UPDATE OR DELETE ON audit_chain
  FOR EACH ROW EXECUTE FUNCTION refuse_audit_rewind();
CREATE TRIGGER audit_chain_kept BEFORE TRUNCATE ON audit_chain FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
