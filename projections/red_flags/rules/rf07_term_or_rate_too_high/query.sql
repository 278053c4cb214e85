SELECT l.bank || '/' || l.loan_no AS subject, l.principal_fen AS amount_fen,
       ARRAY[l.of_position] AS positions
  FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
  LEFT JOIN rate_cap c
    ON c.term = CASE WHEN l.due_on > (l.effective_on + make_interval(months => %(short)s))::date
                     THEN 'longer' ELSE 'one_year' END
   AND l.contract_on >= c.first AND l.contract_on < c.until
 WHERE l.due_on > (l.effective_on + make_interval(months => %(months)s))::date
    OR l.annual_rate_bp > c.rate_bp
