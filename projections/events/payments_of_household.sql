-- The payments of all loans that a household ever took, behind a position.
-- id; position; known_at (null: all).
SELECT e.position FROM ledger.event e
 WHERE e.originator_id IN (
         SELECT (convert_from(b.state, 'UTF8')::jsonb ->> 'loan_id')::uuid
           FROM ledger.event b
          WHERE b.originator_id = %(id)s AND b.topic = 'household.borrowed.v1')
   AND e.topic = 'loan.subsidy-paid.v1' AND e.position > %(position)s
   AND (%(known_at)s::timestamptz IS NULL OR e.recorded_at <= %(known_at)s)
 ORDER BY e.position
