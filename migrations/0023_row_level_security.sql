-- The server says for whom a transaction is, and the database shows and takes no row of others. See docs/adr/0035.
--
-- Every server acts as one role, which owns nothing. A role is the whole cluster's: another database may have been first.
-- Who brings up the schema needs CREATEROLE, or a superuser makes the role and grants it beforehand.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'allot_server') THEN
    CREATE ROLE allot_server NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;
END
$$;
DO $$
BEGIN
  IF NOT pg_has_role(current_user, 'allot_server', 'MEMBER') THEN
    EXECUTE format('GRANT allot_server TO %I', current_user);
  END IF;
END
$$;

-- What a server does, and no more: it changes no schema, empties no table, and what is kept for good it only adds to.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO allot_server;
GRANT INSERT ON providers, clusters, nodes, institutes, projects, quotas, project_usage, allocations, allocation_estimates,
  claims, provider_orders, reservations, reserved_nodes, policies, api_keys, requests, events, audit_entries TO allot_server;
GRANT UPDATE ON clusters, nodes, institutes, projects, quotas, project_usage, allocations, claims, provider_orders,
  reservations, policies, api_keys, leadership, revision, audit_chain TO allot_server;
GRANT DELETE ON claims, reserved_nodes, requests, events TO allot_server;

-- Of a session that was not told for whom it is, none of these is true.
CREATE FUNCTION scope_is_everything() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT current_setting('allot.everything', true) = 'on'
$$;
CREATE FUNCTION scope_institutes() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT NULLIF(current_setting('allot.institutes', true), '')::text[]
$$;
CREATE FUNCTION scope_keys() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT NULLIF(current_setting('allot.keys', true), '')::text[]
$$;
CREATE FUNCTION scope_provider() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT NULLIF(current_setting('allot.provider', true), '')
$$;
CREATE FUNCTION scope_clusters() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT array_agg(id) FROM clusters WHERE provider_id = scope_provider()
$$;
-- Ids begin with the id of what they belong to (docs/adr/0004).
CREATE FUNCTION first_of_id(id text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT split_part(id, '/', 1)
$$;

-- Sub-selects are worked out once a statement, not once a row.
DO $$
DECLARE
  everything CONSTANT text := '(SELECT scope_is_everything())';
  institutes CONSTANT text := 'ANY ((SELECT scope_institutes())::text[])';
  keys       CONSTANT text := 'ANY ((SELECT scope_keys())::text[])';
  clusters   CONSTANT text := 'ANY ((SELECT scope_clusters())::text[])';
  provider   CONSTANT text := '(SELECT scope_provider()) IS NOT NULL';
  protected  record;
BEGIN
  FOR protected IN SELECT * FROM (VALUES
    -- table, what an institute may touch, what a provider may touch
    ('institutes',           'id = ' || institutes,                         provider),
    ('projects',             'institute_id = ' || institutes,               provider),
    ('quotas',               'first_of_id(project_id) = ' || institutes,    provider),
    ('project_usage',        'first_of_id(project_id) = ' || institutes,    provider),
    ('allocations',          'institute_id = ' || institutes,               provider),
    ('allocation_estimates', 'first_of_id(allocation_id) = ' || institutes, provider),
    ('claims',               'first_of_id(allocation_id) = ' || institutes, 'first_of_id(node_id) = ' || clusters),
    ('provider_orders',      'first_of_id(allocation_id) = ' || institutes, 'cluster_id = ' || clusters),
    ('reservations',         'first_of_id(project_id) = ' || institutes,    'cluster_id = ' || clusters),
    ('reserved_nodes',       'false',                                       'first_of_id(node_id) = ' || clusters),
    ('requests',             'key_id = ' || keys,                           'key_id = ' || keys),
    ('events',               'institute_id = ' || institutes,               'false'),
    ('audit_entries',        'institute_id = ' || institutes,               'false'),
    ('clusters',             'false',                                       'provider_id = (SELECT scope_provider())'),
    ('nodes',                'false',                                       'cluster_id = ' || clusters),
    ('providers',            'false',                                       'false'),
    ('policies',             'false',                                       'false'),
    ('leadership',           'false',                                       'false'),
    ('api_keys',             'false',                                       'false')
  ) AS t(name, of_institute, of_provider) LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', protected.name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', protected.name);
    EXECUTE format('CREATE POLICY within_scope ON %I USING (%s OR %s OR %s)', protected.name, everything,
                   protected.of_institute, protected.of_provider);
    -- A server of the release before acts as the owner and says nothing of a scope. To be dropped when none is left.
    EXECUTE format('CREATE POLICY release_before ON %I TO %I USING (current_setting(''allot.everything'', true) IS NULL)',
                   protected.name, current_user);
  END LOOP;
END
$$;

-- The pool is no secret: capacity is counted from it, and requests are measured against it. Whose nodes are named to whom
-- is the use cases' to say; a provider is shown its own alone.
CREATE POLICY readable ON providers FOR SELECT USING ((SELECT scope_institutes()) IS NOT NULL);
CREATE POLICY readable ON clusters FOR SELECT USING ((SELECT scope_institutes()) IS NOT NULL);
CREATE POLICY readable ON policies FOR SELECT USING ((SELECT scope_institutes()) IS NOT NULL);
CREATE POLICY readable ON nodes FOR SELECT USING ((SELECT scope_provider()) IS NULL AND (SELECT scope_institutes()) IS NOT NULL);
-- A provider's report ends work of any tenant, which is told, recorded, and summed up over all of the project.
CREATE POLICY written_by_providers ON events FOR INSERT WITH CHECK ((SELECT scope_provider()) IS NOT NULL);
CREATE POLICY written_by_providers ON audit_entries FOR INSERT WITH CHECK ((SELECT scope_provider()) IS NOT NULL);
