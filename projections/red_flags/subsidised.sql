-- Each stretch of days that a subsidy payment counted, and the principal on it.
-- as_of, known_at.
SELECT l.bank, l.loan_no, s.payment_no, s.period, s.first, s.until, s.principal_fen
  FROM facts.subsidised s
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
 WHERE s.effective_on <= %(as_of)s AND s.recorded_at <= %(known_at)s
 ORDER BY s.of_position, s.first
