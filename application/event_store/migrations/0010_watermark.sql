-- Through when the ledger is known though nothing was recorded: every event behind `position` is
-- recorded after `through`. It is raised under the append lock, and an append that would be
-- recorded at or before it is not stored (docs/decisions/0028).

CREATE TABLE ledger.watermark (
  one      boolean     PRIMARY KEY DEFAULT true CHECK (one),
  position bigint      NOT NULL,
  through  timestamptz NOT NULL
) WITH (fillfactor = 50);
INSERT INTO ledger.watermark (position, through) VALUES (0, 'epoch');
GRANT SELECT ON ledger.watermark
  TO mingzhang_writer, mingzhang_reader, mingzhang_watcher, mingzhang_projector;

-- Returns through when the ledger is known afterwards; null, and nothing is raised, while an append
-- is under way or nothing was ever recorded. Never beyond the server's own clock: a caller whose
-- clock is wrong, or who means harm, cannot push later events into the future.
CREATE FUNCTION ledger.raise_watermark(wanted timestamptz) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  reached timestamptz := least(wanted, clock_timestamp());
  last    bigint;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7291001) THEN
    RETURN NULL;
  END IF;
  SELECT max(e.position) INTO last FROM ledger.event e;
  IF last IS NULL THEN
    RETURN NULL;
  END IF;
  UPDATE ledger.watermark w SET position = last, through = reached WHERE w.through < reached;
  RETURN (SELECT w.through FROM ledger.watermark w);
END $$;
REVOKE EXECUTE ON FUNCTION ledger.raise_watermark FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.raise_watermark TO mingzhang_reader, mingzhang_projector;

-- The short way in, as before; False also when a reader was told meanwhile that the ledger is known
-- through `learnt` or later: the writer then takes another instant, under the lock.
CREATE OR REPLACE FUNCTION ledger.append(
  expected bigint, learnt timestamptz, ids uuid[], versions bigint[], topics text[],
  organisations text[], refs text[], parts smallint[], tolds bytea[], states bytea[], macs bytea[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7291001);
  IF coalesce((SELECT max(e.position) FROM ledger.event e), 0) <> expected
     OR learnt <= (SELECT w.through FROM ledger.watermark w) THEN
    RETURN false;
  END IF;
  IF EXISTS (
    SELECT FROM unnest(organisations, refs, parts) AS t (organisation, ref, part)
     CROSS JOIN LATERAL (SELECT FROM ledger.event e
                          WHERE e.organisation = t.organisation AND e.ref = t.ref AND e.part = 0
                          LIMIT 1) told_before  -- LATERAL and LIMIT: by the index, always
     WHERE t.part = 0
  ) THEN
    RETURN NULL;
  END IF;
  INSERT INTO ledger.event
  SELECT expected + t.n, learnt, t.id, t.version, t.topic, t.organisation, t.ref, t.part, t.told,
         t.state, t.mac
    FROM unnest(ids, versions, topics, organisations, refs, parts, tolds, states, macs)
         WITH ORDINALITY
         AS t (id, version, topic, organisation, ref, part, told, state, mac, n);
  RETURN true;
END $$;
