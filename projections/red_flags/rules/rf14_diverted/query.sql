SELECT l.bank || '/' || l.loan_no AS subject, l.principal_fen AS amount_fen,
       (array_agg(k.of_position ORDER BY k.of_position))[1:1] AS positions,
       (array_agg(k.of_position ORDER BY k.of_position))[2:] AS context
  FROM facts.standing_usage_check(%(as_of)s, %(known_at)s) k
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
 WHERE k.finding = 'diverted'
 GROUP BY l.loan_id, l.bank, l.loan_no, l.principal_fen
