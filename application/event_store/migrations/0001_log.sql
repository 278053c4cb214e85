-- The log: every event there is, in the order in which the ledger learnt it.
-- Roles are of the whole server; a login becomes one of them by GRANT.

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['mingzhang_writer', 'mingzhang_projector', 'mingzhang_reader'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', name);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
  END LOOP;
END $$;

CREATE SCHEMA ledger;
GRANT USAGE ON SCHEMA ledger TO mingzhang_writer, mingzhang_projector, mingzhang_reader;

CREATE TABLE ledger.event (
  position           bigint      NOT NULL,  -- 1, 2, 3 ... without gaps, in order of commit
  recorded_at        timestamptz NOT NULL,  -- when the ledger learnt it; never goes back
  originator_id      uuid        NOT NULL,  -- the aggregate
  originator_version bigint      NOT NULL,  -- 1, 2, 3 ... within the aggregate
  topic              text        NOT NULL,  -- what happened
  organisation       text        NOT NULL,  -- who told it
  ref                text        NOT NULL,  -- that organisation's own name for the command
  part               smallint    NOT NULL,  -- 0, 1, 2 ... within the events of one command
  told               bytea       NOT NULL,  -- keyed fingerprint of the command's content
  state              bytea       NOT NULL,  -- canonical JSON (RFC 8785), as it was first written
  mac                bytea       NOT NULL,  -- the service's seal over all the columns before it
  PRIMARY KEY (position),
  UNIQUE (originator_id, originator_version),
  CHECK (position > 0 AND originator_version > 0 AND part >= 0)
);
-- A reference is used once and for ever.
CREATE UNIQUE INDEX event_reference ON ledger.event (organisation, ref) WHERE part = 0;
ALTER TABLE ledger.event ALTER COLUMN state SET STORAGE EXTENDED;

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'append-only: % on %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.event
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE ledger.event ENABLE ALWAYS TRIGGER append_only;

GRANT SELECT, INSERT ON ledger.event TO mingzhang_writer;
GRANT SELECT ON ledger.event TO mingzhang_projector, mingzhang_reader;

-- The short way in: some events behind the position that the writer expects, in one question.
-- False, and nothing is stored, when the log has gone on meanwhile.
CREATE FUNCTION ledger.append(
  expected bigint, learnt timestamptz, ids uuid[], versions bigint[], topics text[],
  organisations text[], refs text[], parts smallint[], tolds bytea[], states bytea[], macs bytea[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7291001);
  IF coalesce((SELECT max(e.position) FROM ledger.event e), 0) <> expected THEN
    RETURN false;
  END IF;
  INSERT INTO ledger.event
  SELECT expected + t.n, learnt, t.id, t.version, t.topic, t.organisation, t.ref, t.part, t.told,
         t.state, t.mac
    FROM unnest(ids, versions, topics, organisations, refs, parts, tolds, states, macs)
         WITH ORDINALITY
         AS t (id, version, topic, organisation, ref, part, told, state, mac, n);
  RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION ledger.append FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.append TO mingzhang_writer;

-- One key per household, wrapped by a key that is not in the database.
CREATE TABLE ledger.household_key (
  household_id uuid  PRIMARY KEY,
  wrapped      bytea NOT NULL
);
GRANT SELECT, INSERT ON ledger.household_key TO mingzhang_writer;
GRANT SELECT ON ledger.household_key TO mingzhang_reader;

-- Who takes part, and the keys by which they are known.
CREATE TABLE ledger.organisation (
  code text PRIMARY KEY,
  role text NOT NULL CHECK (role IN ('bank', 'township', 'centre', 'bureau', 'finance',
                                     'guarantor', 'auditor', 'admin')),
  name text NOT NULL
);
CREATE TABLE ledger.api_key (
  key_hash     bytea       PRIMARY KEY,       -- SHA-256 of a 256-bit random key
  organisation text        NOT NULL REFERENCES ledger.organisation,
  person       text        NOT NULL,
  issued_at    timestamptz NOT NULL DEFAULT now(),
  revoked_at   timestamptz
);
GRANT SELECT ON ledger.organisation, ledger.api_key TO mingzhang_writer, mingzhang_reader;
GRANT SELECT ON ledger.organisation TO mingzhang_projector;

-- Which drawing of the facts is read, and how far each has come (projections/facts).
CREATE SCHEMA projection;
CREATE TABLE projection.generation (
  number      int         PRIMARY KEY,
  position    bigint      NOT NULL DEFAULT 0,
  recorded_at timestamptz NOT NULL DEFAULT '-infinity',
  live        boolean     NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX one_live_generation ON projection.generation (live) WHERE live;
GRANT USAGE ON SCHEMA projection TO mingzhang_projector, mingzhang_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON projection.generation TO mingzhang_projector;
GRANT SELECT ON projection.generation TO mingzhang_reader;
DO $$ BEGIN
  EXECUTE format('GRANT CREATE ON DATABASE %I TO mingzhang_projector', current_database());
END $$;
