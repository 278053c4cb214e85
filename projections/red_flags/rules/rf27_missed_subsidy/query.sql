SELECT l.bank || '/' || l.loan_no || ' ' || d.period AS subject,
       d.due_fen - d.paid_fen - d.reserved_fen AS amount_fen, d.positions::bigint[] AS positions,
       greatest(d.until, d.open_on) + %(days)s AS since
  FROM due d
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
 WHERE d.due_fen > d.paid_fen + d.reserved_fen
   AND greatest(d.until, d.open_on) + %(days)s <= %(today)s
