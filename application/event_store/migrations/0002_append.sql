-- The short way in also asks whether a reference was told before, so the writer need not ask first.
-- True: stored. False: the log has gone on. Null: a reference is in the log. Nothing is stored then.
CREATE OR REPLACE FUNCTION ledger.append(
  expected bigint, learnt timestamptz, ids uuid[], versions bigint[], topics text[],
  organisations text[], refs text[], parts smallint[], tolds bytea[], states bytea[], macs bytea[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7291001);
  IF coalesce((SELECT max(e.position) FROM ledger.event e), 0) <> expected THEN
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
