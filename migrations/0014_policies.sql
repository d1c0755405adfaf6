-- Policies that operators publish, each in force from its date until that of the next. See docs/adr/0015.

CREATE TABLE policies (
  id              resource_id PRIMARY KEY,
  settings        jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object'),
  effective_time  timestamptz NOT NULL,
  create_time     timestamptz NOT NULL,
  reason          text NOT NULL CHECK (reason <> ''),
  withdraw_time   timestamptz,
  withdraw_reason text NOT NULL,
  CONSTRAINT policies_change_no_past CHECK (effective_time >= create_time),
  CONSTRAINT policies_take_effect_at_whole_seconds CHECK (effective_time = date_trunc('second', effective_time)),
  CONSTRAINT policies_withdrawn_before_their_date CHECK (withdraw_time < effective_time)
);
COMMENT ON TABLE policies IS 'Every policy ever published; nothing of one changes but that it may be withdrawn before its date.';
COMMENT ON COLUMN policies.settings IS 'Every setting by its name: times in seconds, programmes by id.';

-- Which policy is in force must never depend on the order in which two were published.
CREATE FUNCTION refuse_policies_out_of_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(2, 0);
  PERFORM 1 FROM policies p
    WHERE p.id <> NEW.id AND p.withdraw_time IS NULL AND p.effective_time >= NEW.effective_time;
  IF FOUND THEN
    RAISE EXCEPTION 'another policy takes effect later' USING ERRCODE = '23P01';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER policies_in_order BEFORE INSERT ON policies
  FOR EACH ROW EXECUTE FUNCTION refuse_policies_out_of_order();

CREATE TRIGGER policies_withdrawn_once BEFORE UPDATE ON policies
  FOR EACH ROW WHEN (OLD.withdraw_time IS NOT NULL OR NEW.withdraw_time IS NULL
    OR (NEW.id, NEW.settings, NEW.effective_time, NEW.create_time, NEW.reason)
       IS DISTINCT FROM (OLD.id, OLD.settings, OLD.effective_time, OLD.create_time, OLD.reason))
  EXECUTE FUNCTION refuse_change();
CREATE TRIGGER policies_kept BEFORE DELETE OR TRUNCATE ON policies
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE events
  DROP CONSTRAINT events_kind_check,
  ADD CONSTRAINT events_kind_check CHECK (kind IN (
    'provider', 'cluster', 'node', 'institute', 'project', 'quota', 'allocation', 'reservation', 'policy'));
