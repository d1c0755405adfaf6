-- Two roles more: a ministry admin, who also makes keys of staff, and a viewer, who changes nothing.
-- Expands only: a server of the release before goes on with the roles that it knows.
ALTER TABLE api_keys DROP CONSTRAINT api_keys_role_check, DROP CONSTRAINT api_keys_tenant_by_role;
ALTER TABLE api_keys
  ADD CONSTRAINT api_keys_role_check CHECK (role IN
    ('ministry_admin', 'operator', 'auditor', 'institute_admin', 'member', 'viewer', 'provider')),
  ADD CONSTRAINT api_keys_tenant_by_role CHECK (
    (institute_id IS NOT NULL) = (role IN ('institute_admin', 'member', 'viewer'))
    AND (provider_id IS NOT NULL) = (role = 'provider'));
