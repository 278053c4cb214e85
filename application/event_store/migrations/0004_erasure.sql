-- Erasure: a household's key may be destroyed, when the log says so and not otherwise; and the
-- secret that wraps the keys may change, so that an old backup opens none of them any more.

-- A wrapped key of 68 bytes begins with the id of the secret it is wrapped under; the older ones
-- of 60 bytes do not say: they are under the first.
ALTER TABLE ledger.household_key
  ADD COLUMN wrapping_id bytea NOT NULL GENERATED ALWAYS AS (
    CASE WHEN octet_length(wrapped) = 68 THEN substring(wrapped FROM 1 FOR 8) ELSE ''::bytea END
  ) STORED,
  DROP CONSTRAINT household_key_pkey;
ALTER TABLE ledger.household_key ADD PRIMARY KEY (household_id, wrapping_id);

-- Which secret the keys are wrapped under, and since when. The newest row holds; none: the first.
CREATE TABLE ledger.wrapping (
  number      bigint      PRIMARY KEY,  -- 1, 2, 3 ... in the order of change
  wrapping_id bytea       NOT NULL UNIQUE CHECK (octet_length(wrapping_id) = 8),
  begun_at    timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON ledger.wrapping TO mingzhang_writer, mingzhang_reader;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.wrapping
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE ledger.wrapping ENABLE ALWAYS TRIGGER append_only;

CREATE FUNCTION ledger.present_wrapping() RETURNS bytea LANGUAGE sql STABLE AS
  'SELECT w.wrapping_id FROM ledger.wrapping w ORDER BY w.number DESC LIMIT 1';
GRANT EXECUTE ON FUNCTION ledger.present_wrapping TO mingzhang_writer, mingzhang_reader;

CREATE FUNCTION ledger.erased(household uuid) RETURNS boolean LANGUAGE sql STABLE AS
  'SELECT EXISTS (SELECT FROM ledger.event e
                   WHERE e.originator_id = household AND e.topic = ''household.erased.v1'')';

-- A key comes once, under the present secret, for a household that was not erased. It goes when
-- its household was erased; or the owner has wrapped it anew.
CREATE FUNCTION ledger.guard_key() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  owns boolean := pg_has_role(
    current_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'MEMBER');
  present bytea := ledger.present_wrapping();
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF ledger.erased(NEW.household_id) THEN
      RAISE EXCEPTION 'the household was erased: it gets no key'
        USING ERRCODE = 'insufficient_privilege';
    ELSIF NOT owns AND present IS NOT NULL AND NEW.wrapping_id <> present THEN
      RAISE EXCEPTION 'the wrapping secret has changed: wrap it under the present one'
        USING ERRCODE = 'serialization_failure';
    ELSIF NOT owns AND EXISTS (SELECT FROM ledger.household_key k
                                WHERE k.household_id = NEW.household_id
                                  AND k.wrapping_id <> NEW.wrapping_id) THEN
      RAISE EXCEPTION 'the household has a key' USING ERRCODE = 'unique_violation';
    END IF;
  ELSIF NOT ledger.erased(OLD.household_id) AND NOT (
      owns AND OLD.wrapping_id <> present
      AND EXISTS (SELECT FROM ledger.household_key k
                   WHERE k.household_id = OLD.household_id AND k.wrapping_id = present)) THEN
    RAISE EXCEPTION 'no event says that this household was erased: its key stays'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER never_changed BEFORE UPDATE OR TRUNCATE ON ledger.household_key
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER guarded AFTER INSERT OR DELETE ON ledger.household_key
  FOR EACH ROW EXECUTE FUNCTION ledger.guard_key();
ALTER TABLE ledger.household_key ENABLE ALWAYS TRIGGER never_changed;
ALTER TABLE ledger.household_key ENABLE ALWAYS TRIGGER guarded;
GRANT DELETE ON ledger.household_key TO mingzhang_writer;

-- Found without reading the log: who was erased, and how often somebody looked of late.
CREATE INDEX event_erasure ON ledger.event (position) WHERE topic = 'household.erased.v1';
CREATE INDEX event_look ON ledger.event (organisation, recorded_at)
  WHERE topic = 'household.looked-at.v1';
