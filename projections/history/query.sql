-- 事件史: every event of some aggregates, in the order in which the ledger learnt them.
-- aggregates: their ids; known_at: what was recorded by then (null: all).
SELECT position, recorded_at, originator_id, originator_version, topic, organisation, ref, state,
       originator_id || '.' || originator_version
  FROM ledger.event
 WHERE originator_id = ANY(%(aggregates)s)
   AND (%(known_at)s::timestamptz IS NULL OR recorded_at <= %(known_at)s)
 ORDER BY position
