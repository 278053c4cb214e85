-- The payments of a loan behind a position. id; position; known_at (null: all).
SELECT e.position FROM ledger.event e
 WHERE e.originator_id = %(id)s
   AND e.topic = 'loan.subsidy-paid.v1' AND e.position > %(position)s
   AND (%(known_at)s::timestamptz IS NULL OR e.recorded_at <= %(known_at)s)
 ORDER BY e.position
