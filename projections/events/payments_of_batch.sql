-- The payments by which the lines of a batch were paid, behind a position.
-- id; position; known_at (null: all).
SELECT e.position FROM ledger.event e
 WHERE e.originator_id IN (
         SELECT (l ->> 'loan_id')::uuid
           FROM ledger.event b, jsonb_array_elements(convert_from(b.state, 'UTF8')::jsonb -> 'lines') l
          WHERE b.originator_id = %(id)s AND b.topic = 'batch.listed.v1')
   AND convert_from(e.state, 'UTF8')::jsonb ->> 'batch_id' = %(id)s::text
   AND e.topic = 'loan.subsidy-paid.v1' AND e.position > %(position)s
   AND (%(known_at)s::timestamptz IS NULL OR e.recorded_at <= %(known_at)s)
 ORDER BY e.position
