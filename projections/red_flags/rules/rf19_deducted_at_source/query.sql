WITH taken AS (
  SELECT o.loan_id, sum(o.amount_fen) AS fen,
         array_agg(o.of_position ORDER BY o.of_position) AS them
    FROM facts.standing_outflow(%(as_of)s, %(known_at)s) o
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
   WHERE o.effective_on = l.effective_on AND o.from_account IS NULL
     AND o.kind IN ('bank', 'village', 'firm')
   GROUP BY o.loan_id
)
SELECT l.bank || '/' || l.loan_no AS subject,
       l.principal_fen - least(l.credited_fen, l.principal_fen) + coalesce(t.fen, 0) AS amount_fen,
       CASE WHEN l.credited_fen < l.principal_fen THEN ARRAY[l.of_position]
            ELSE ARRAY[l.of_position, t.them[1]] END AS positions,
       coalesce(CASE WHEN l.credited_fen < l.principal_fen THEN t.them ELSE t.them[2:] END, '{}')
         AS context
  FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
  LEFT JOIN taken t USING (loan_id)
 WHERE l.credited_fen < l.principal_fen OR t.fen > 0
