-- Some events of the log by their positions, and what corrected them.
-- positions: theirs; known_at: corrections recorded by then (null: all).
SELECT e.position, e.recorded_at, e.originator_id, e.originator_version, e.topic, e.organisation,
       e.ref, e.state, e.originator_id || '.' || e.originator_version
  FROM ledger.event e WHERE e.position = ANY (%(positions)s)
 UNION
SELECT c.position, c.recorded_at, c.originator_id, c.originator_version, c.topic, c.organisation,
       c.ref, c.state, c.originator_id || '.' || c.originator_version
  FROM ledger.event e
  JOIN ledger.event c ON c.originator_id = e.originator_id
   AND c.originator_version > e.originator_version AND c.topic LIKE '%%.corrected.v1'
 WHERE e.position = ANY (%(positions)s)
   AND (%(known_at)s::timestamptz IS NULL OR c.recorded_at <= %(known_at)s)
 ORDER BY 1
