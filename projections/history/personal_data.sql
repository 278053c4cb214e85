-- 销毁与查看: who erased and who looked at a household's people, the newest first.
-- topics; before: positions below it (null: all); known_at: recorded by then (null: all); most.
SELECT e.position, e.recorded_at, e.topic, e.organisation,
       convert_from(e.state, 'UTF8')::jsonb ->> 'person' AS person,
       convert_from(e.state, 'UTF8')::jsonb ->> 'reason' AS reason,
       convert_from(e.state, 'UTF8')::jsonb ->> 'document' AS document,
       (SELECT convert_from(r.state, 'UTF8')::jsonb ->> 'household_no' FROM ledger.event r
         WHERE r.originator_id = e.originator_id AND r.originator_version = 1) AS household_no
  FROM ledger.event e
 WHERE e.topic = %(topic)s
   AND (%(before)s::bigint IS NULL OR e.position < %(before)s)
   AND (%(known_at)s::timestamptz IS NULL OR e.recorded_at <= %(known_at)s)
 ORDER BY e.position DESC LIMIT %(most)s
