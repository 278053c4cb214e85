SELECT l.bank || '/' || l.loan_no || ' ' || d.period AS subject,
       d.paid_fen - d.due_fen AS amount_fen, d.positions::bigint[] AS positions, d.since,
       d.context::bigint[] AS context
  FROM due d
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
 WHERE d.paid_fen > d.due_fen
