-- What keeps many servers honest: one leader, one answer to a request, one order of events, and a
-- record of who did what.

CREATE TABLE leadership (
  only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  -- The fencing token: grows with every change of holder, and every write of a leader asserts it.
  epoch       bigint NOT NULL CHECK (epoch >= 0),
  holder      text NOT NULL,
  lease_until timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE leadership IS 'Who runs the scheduler, until when, in which epoch.';
INSERT INTO leadership (epoch, holder, lease_until) VALUES (0, '', '1970-01-01 00:00:00+00');

CREATE TABLE requests (
  key_id      resource_id NOT NULL,
  request_id  text COLLATE "C" NOT NULL CHECK (octet_length(request_id) BETWEEN 1 AND 64),
  body_sha256 text NOT NULL CHECK (body_sha256 ~ '^[0-9a-f]{64}$'),
  response    bytea NOT NULL,
  create_time timestamptz NOT NULL,
  PRIMARY KEY (key_id, request_id)
);
COMMENT ON TABLE requests IS 'What each request id led to, so that a repeated call is answered as before.';

-- A sequence would number transactions in the order they ask, not in the order they commit.
CREATE TABLE revision (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  value    bigint NOT NULL CHECK (value >= 0)
) WITH (fillfactor = 50);
COMMENT ON TABLE revision IS
  'Of the newest transaction with events. Incremented by its last statement: dense, and in commit order.';
INSERT INTO revision (value) VALUES (0);

CREATE TABLE events (
  revision     bigint NOT NULL CHECK (revision >= 1),
  kind         text NOT NULL CHECK (kind IN (
                 'provider', 'cluster', 'node', 'institute', 'project', 'quota', 'allocation')),
  resource     resource_id NOT NULL,
  institute_id resource_id,
  state        text CHECK ((state IS NOT NULL) = (kind = 'allocation')),
  event_time   timestamptz NOT NULL,
  PRIMARY KEY (revision, kind, resource)
);
COMMENT ON TABLE events IS 'The outbox: one row for each resource a transaction changed.';
CREATE INDEX events_institute ON events (institute_id, revision) WHERE institute_id IS NOT NULL;

CREATE TABLE audit_entries (
  number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  entry_time   timestamptz NOT NULL,
  key_id       text NOT NULL,
  actor        text NOT NULL,
  action       text NOT NULL CHECK (action <> ''),
  resource     text COLLATE "C" NOT NULL,
  institute_id text NOT NULL,
  detail       text NOT NULL,
  request_id   text NOT NULL
);
COMMENT ON TABLE audit_entries IS 'Who did what, for good: a trigger refuses every change and removal.';
CREATE INDEX audit_entries_resource ON audit_entries (resource, number);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'AL002';
END
$$;
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Keys may be issued before their institute or provider is entered, hence no foreign keys.
CREATE TABLE api_keys (
  id            resource_id PRIMARY KEY,
  role          text NOT NULL CHECK (role IN ('member', 'institute_admin', 'operator', 'auditor', 'provider')),
  institute_id  resource_id,
  provider_id   resource_id,
  display_name  text NOT NULL CHECK (char_length(display_name) <= 1000),
  secret_sha256 text COLLATE "C" NOT NULL UNIQUE CHECK (secret_sha256 ~ '^[0-9a-f]{64}$'),
  create_time   timestamptz NOT NULL,
  revoke_time   timestamptz,
  CONSTRAINT api_keys_tenant_by_role CHECK (
    (institute_id IS NOT NULL) = (role IN ('member', 'institute_admin'))
    AND (provider_id IS NOT NULL) = (role = 'provider'))
);
COMMENT ON TABLE api_keys IS 'API keys as hashes; the secret itself is never stored.';
