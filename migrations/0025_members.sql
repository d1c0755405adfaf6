-- People who come with tokens of an issuer: what the issuer calls them, and what they may do here. See docs/adr/0033.

CREATE TABLE members (
  id           resource_id PRIMARY KEY CHECK (starts_with(id, 'm-')),
  issuer       text COLLATE "C" NOT NULL CHECK (octet_length(issuer) BETWEEN 1 AND 500),
  subject      text COLLATE "C" NOT NULL CHECK (octet_length(subject) BETWEEN 1 AND 500),
  role         text NOT NULL CHECK (role IN
                 ('ministry_admin', 'operator', 'auditor', 'institute_admin', 'member', 'viewer')),
  institute_id resource_id,
  display_name text NOT NULL CHECK (char_length(display_name) <= 1000),
  create_time  timestamptz NOT NULL,
  remove_time  timestamptz,
  CONSTRAINT members_tenant_by_role CHECK (
    (institute_id IS NOT NULL) = (role IN ('institute_admin', 'member', 'viewer')))
);
COMMENT ON TABLE members IS 'People: the issuer of their tokens, their subject there, and their role here.';
-- A person is one member at a time; who was removed may be added again.
CREATE UNIQUE INDEX members_person ON members (issuer, subject) WHERE remove_time IS NULL;

-- An institute's admins see and change their own institute's.
GRANT SELECT, INSERT, UPDATE ON members TO allot_server;
ALTER TABLE members ENABLE ROW LEVEL SECURITY;
ALTER TABLE members FORCE ROW LEVEL SECURITY;
CREATE POLICY within_scope ON members USING (
  (SELECT scope_is_everything()) OR institute_id = ANY ((SELECT scope_institutes())::text[]));
-- Everybody is told who they are.
CREATE POLICY own ON members FOR SELECT USING (id = ANY ((SELECT scope_keys())::text[]));
CREATE POLICY own ON api_keys FOR SELECT USING (id = ANY ((SELECT scope_keys())::text[]));
