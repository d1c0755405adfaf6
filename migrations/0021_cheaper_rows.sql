-- What one more allocation costs the database: see docs/adr/0027.

-- An allocation's id begins with its project's, and that with its institute's: the primary key finds them.
DROP INDEX allocations_project;
DROP INDEX allocations_institute;
-- Its project has this institute (allocations_project_names_its_institute, projects_id_names_its_institute).
ALTER TABLE allocations DROP CONSTRAINT allocations_institute_id_fkey;

-- The links of a whole statement are checked at once. They are made by the server, which locked the newest one; an entry
-- without a hash, as the release before this one writes it, is still linked here, row by row.
DROP TRIGGER audit_entries_chained ON audit_entries;
CREATE TRIGGER audit_entries_chained BEFORE INSERT ON audit_entries
  FOR EACH ROW WHEN (NEW.hash IS NULL) EXECUTE FUNCTION chain_audit_entry();

CREATE FUNCTION check_audit_links() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  entry  record;
  newest audit_chain;
BEGIN
  SELECT * INTO STRICT newest FROM audit_chain FOR UPDATE;
  FOR entry IN SELECT * FROM added ORDER BY number LOOP
    -- Linked row by row already: no other entry can have a number that was given.
    CONTINUE WHEN entry.number <= newest.number;
    newest.number := newest.number + 1;
    newest.hash := sha256(newest.hash || convert_to(
      octet_length(newest.number::text) || ':' || newest.number || ',' ||
      octet_length(micros(entry.entry_time)::text) || ':' || micros(entry.entry_time) || ',' ||
      octet_length(entry.key_id) || ':' || entry.key_id || ',' ||
      octet_length(entry.actor) || ':' || entry.actor || ',' ||
      octet_length(entry.action) || ':' || entry.action || ',' ||
      octet_length(entry.resource) || ':' || entry.resource || ',' ||
      octet_length(entry.institute_id) || ':' || entry.institute_id || ',' ||
      octet_length(entry.detail) || ':' || entry.detail || ',' ||
      octet_length(entry.request_id) || ':' || entry.request_id || ',', 'UTF8'));
    IF entry.number <> newest.number OR entry.hash <> newest.hash THEN
      RAISE EXCEPTION 'audit entry % does not follow the one before', entry.number USING ERRCODE = 'AL002';
    END IF;
  END LOOP;
  UPDATE audit_chain SET number = newest.number, hash = newest.hash WHERE number < newest.number;
  RETURN NULL;
END
$$;
CREATE TRIGGER audit_entries_follow AFTER INSERT ON audit_entries
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION check_audit_links();
