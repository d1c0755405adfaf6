-- What a server of the release with schema 22 writes, by its own statements with values in place of parameters: at least
-- one row into every table, and an allocation's whole life. '@' stands for a digit, so that it can be done several times.
INSERT INTO providers (id, display_name, version) VALUES ('naver@', 'NAVER Cloud', 1) ON CONFLICT DO NOTHING;
INSERT INTO clusters (id, provider_id, display_name, gpu_model, programmes, agent_session, inventory_generation, last_heartbeat,
  draining, drain_reason, version, join_time, leave_time)
  VALUES ('naver-a@', 'naver@', '', 'H200', '{call}', 0, 0, NULL, false, '', 1, NULL, NULL) ON CONFLICT DO NOTHING;
UPDATE clusters SET provider_id = 'naver@', display_name = 'A', gpu_model = 'H200', programmes = '{call}', agent_session = 1,
  inventory_generation = 1, last_heartbeat = '2026-03-01', draining = false, drain_reason = '', version = version + 1,
  join_time = NULL, leave_time = NULL WHERE id = 'naver-a@' AND version = 1;
UPDATE clusters SET last_heartbeat = '2026-03-01 00:01' WHERE id = 'naver-a@';
INSERT INTO nodes (id, cluster_id, health, draining, drain_reason, reason, version, leaf)
  SELECT * FROM unnest('{naver-a@/n1, naver-a@/n2, naver-a@/n3}'::text[], '{naver-a@, naver-a@, naver-a@}'::text[],
  '{ready, ready, ready}'::text[], '{f, f, f}'::boolean[], '{"", "", ""}'::text[], '{"", "", ""}'::text[], '{1, 1, 1}'::bigint[],
  '{su-01, su-01, ""}'::text[]) ON CONFLICT DO NOTHING;
INSERT INTO institutes (id, display_name, sector, version) VALUES ('snu@', '서울대학교', 'academia', 1) ON CONFLICT DO NOTHING;
INSERT INTO projects (id, institute_id, programme, display_name, sector, merit, open, create_time, version)
  VALUES ('snu@/llm', 'snu@', 'call', '', 'academia', 800, true, '2026-03-01', 1) ON CONFLICT DO NOTHING;
INSERT INTO quotas (project_id, concurrent_b200_gpus, concurrent_h200_gpus, gpu_seconds, version) VALUES ('snu@/llm', 0, 0, 0, 1)
  ON CONFLICT DO NOTHING;
INSERT INTO project_usage (project_id, used_gpu_seconds, decayed, decayed_as_of) VALUES ('snu@/llm', 0, 0, '1970-01-01')
  ON CONFLICT DO NOTHING;
UPDATE quotas SET concurrent_b200_gpus = 0, concurrent_h200_gpus = 64, gpu_seconds = 3600000000, version = version + 1
  WHERE project_id = 'snu@/llm' AND version = 1;
INSERT INTO api_keys (id, role, institute_id, provider_id, display_name, secret_sha256, create_time, revoke_time, expire_time)
  VALUES ('key@', 'member', 'snu@', NULL, '', repeat('@', 64), '2026-03-01', NULL, NULL) ON CONFLICT DO NOTHING;
INSERT INTO policies (id, settings, effective_time, create_time, reason, withdraw_time, withdraw_reason)
  VALUES ('spring@', '{"promise_nodes": 16}', '2026-03-0@', '2026-03-0@', 'first call', NULL, '') ON CONFLICT DO NOTHING;
INSERT INTO reservations (id, cluster_id, project_id, display_name, node_ids, start_time, end_time, repeat_every_s, occurrences,
  create_time, cancel_time, version) VALUES ('naver-a@/weekly', 'naver-a@', NULL, '', '{naver-a@/n3}', '2026-04-01', '2026-04-02', 0, 1,
  '2026-03-01', NULL, 1) ON CONFLICT DO NOTHING;
INSERT INTO reserved_nodes (reservation_id, node_id, project_id, during)
  SELECT 'naver-a@/weekly', node, NULL, '{[2026-04-01, 2026-04-02)}' FROM unnest('{naver-a@/n3}'::text[]) AS node;
INSERT INTO requests (key_id, request_id, body_sha256, response, create_time)
  VALUES ('key@', 'once', repeat('a', 64), '\x01', '2026-03-01') ON CONFLICT DO NOTHING;
INSERT INTO allocations (id, project_id, institute_id, display_name, nodes, gpus_per_node, remainder_gpus, gpu_models, duration_s,
  earliest_start, deadline, preemptible, create_time, update_time, reason, message, same_leaf_wait_s, after_id, borrow, exchanged_model,
  exchanged_nodes, exchanged_gpus_per_node, exchanged_remainder_gpus, gpus_max, grows_id, state, attempt, failures, promised,
  cancel_requested, version)
  SELECT 'snu@/llm/' || name, 'snu@/llm', 'snu@', '', 1, 8, 0, '{H200}', 14400, NULL, NULL, false, '2026-03-01', '2026-03-01', 'new', '', 0,
  NULL, false, '', 0, 0, 0, 0, NULL, 'pending', 0, 0, false, false, 1 FROM unnest('{main, done, late}'::text[]) AS name;
INSERT INTO audit_entries (number, entry_time, key_id, actor, action, resource, institute_id, detail, request_id, hash)
  SELECT c.number + 1, '2026-03-01', 'key@', 'member', 'allocation.create', 'snu@/llm/main', 'snu@', '', 'once',
  audit_hash(c.hash, ARRAY[(c.number + 1)::text, micros('2026-03-01')::text, 'key@', 'member', 'allocation.create', 'snu@/llm/main',
  'snu@', '', 'once']) FROM audit_chain c;
INSERT INTO audit_entries (number, entry_time, key_id, actor, action, resource, institute_id, detail, request_id, hash)
  SELECT c.number + 1, '2026-03-01', 'key@', 'member', 'allocation.create', 'snu@/llm/done', 'snu@', '', '',
  audit_hash(c.hash, ARRAY[(c.number + 1)::text, micros('2026-03-01')::text, 'key@', 'member', 'allocation.create', 'snu@/llm/done',
  'snu@', '', '']) FROM audit_chain c;
INSERT INTO audit_entries (number, entry_time, key_id, actor, action, resource, institute_id, detail, request_id, hash)
  SELECT c.number + 1, '2026-03-01', 'key@', 'member', 'allocation.create', 'snu@/llm/late', 'snu@', '', '',
  audit_hash(c.hash, ARRAY[(c.number + 1)::text, micros('2026-03-01')::text, 'key@', 'member', 'allocation.create', 'snu@/llm/late',
  'snu@', '', '']) FROM audit_chain c;
UPDATE leadership SET epoch = epoch + 1, holder = 'server-@', lease_until = '2026-03-01 00:00:03';
UPDATE allocations SET state = 'planned', window_start = '2026-03-20', window_end = '2026-03-20 04:00', cluster_id = 'naver-a@',
  told_start = '2026-03-20', update_time = '2026-03-01', reason = 'planned', message = '', version = version + 1
  WHERE id = 'snu@/llm/late' AND version = 1;
UPDATE allocations SET state = 'provisioning', attempt = 1, window_start = '2026-03-01', window_end = '2026-03-01 04:00',
  cluster_id = 'naver-a@', update_time = '2026-03-01', reason = 'reserved', message = '', version = version + 1
  WHERE id IN ('snu@/llm/main', 'snu@/llm/done') AND version = 1;
INSERT INTO claims (allocation_id, attempt, node_id, gpu_mask, start_time, end_time, released_at, promised)
  VALUES ('snu@/llm/main', 1, 'naver-a@/n1', 255, '2026-03-01', '2026-03-01 04:00', NULL, false),
         ('snu@/llm/done', 1, 'naver-a@/n2', 255, '2026-03-01', '2026-03-01 04:00', NULL, false);
INSERT INTO provider_orders (id, cluster_id, allocation_id, attempt, kind, state, node_ids, gpu_masks, start_time, end_time, epoch,
  create_time, acknowledge_time, message)
  VALUES ('p1@', 'naver-a@', 'snu@/llm/main', 1, 'provision', 'open', '{naver-a@/n1}', '{255}', '2026-03-01', '2026-03-01 04:00', 1, '2026-03-01', NULL, ''),
         ('p2@', 'naver-a@', 'snu@/llm/done', 1, 'provision', 'open', '{naver-a@/n2}', '{255}', '2026-03-01', '2026-03-01 04:00', 1, '2026-03-01', NULL, '')
  ON CONFLICT DO NOTHING;
UPDATE provider_orders SET state = 'done', acknowledge_time = '2026-03-01 00:00:05', message = '', epoch = 1 WHERE id IN ('p1@', 'p2@');
UPDATE allocations SET state = 'active', active_time = '2026-03-01 00:00:05', update_time = '2026-03-01 00:00:05', reason = 'active',
  message = '', version = version + 1 WHERE id IN ('snu@/llm/main', 'snu@/llm/done') AND version = 2;
UPDATE allocations SET state = 'releasing', update_time = '2026-03-01 01:00', reason = 'released', message = '', version = version + 1
  WHERE id = 'snu@/llm/done' AND version = 3;
INSERT INTO provider_orders (id, cluster_id, allocation_id, attempt, kind, state, node_ids, gpu_masks, start_time, end_time, epoch,
  create_time, acknowledge_time, message) VALUES ('r2@', 'naver-a@', 'snu@/llm/done', 1, 'release', 'open', '{naver-a@/n2}', '{255}',
  '2026-03-01', '2026-03-01 04:00', 0, '2026-03-01 01:00', NULL, '') ON CONFLICT DO NOTHING;
UPDATE provider_orders SET state = 'done', acknowledge_time = '2026-03-01 01:00:01', message = '', epoch = 0 WHERE id = 'r2@';
UPDATE claims SET released_at = '2026-03-01 01:00', end_time = greatest('2026-03-01 01:00', start_time + interval '1 microsecond')
  WHERE allocation_id = 'snu@/llm/done' AND attempt = 1 AND released_at IS NULL AND NOT promised;
UPDATE project_usage SET used_gpu_seconds = 28800, decayed = 28800, decayed_as_of = '2026-03-01 01:00' WHERE project_id = 'snu@/llm';
UPDATE allocations SET state = 'completed', end_time = '2026-03-01 01:00', window_end = '2026-03-01 01:00', update_time = '2026-03-01 01:00',
  reason = 'released', message = '', version = version + 1 WHERE id = 'snu@/llm/done' AND version = 4;
WITH next AS (UPDATE revision SET value = value + 1 RETURNING value)
  INSERT INTO events (revision, kind, resource, institute_id, state, event_time, reason, message)
  SELECT next.value, 'allocation', a.id, a.institute_id, a.state, a.update_time, a.reason, a.message FROM next CROSS JOIN allocations a
  WHERE a.project_id = 'snu@/llm';
