SELECT l.bank || '/' || l.loan_no AS subject, l.principal_fen AS amount_fen,
       array_remove(ARRAY[l.of_position, c.of_position], NULL) AS positions
  FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
  LEFT JOIN LATERAL (
    SELECT s.category, s.of_position
      FROM facts.standing_status(%(as_of)s, %(known_at)s) s
     WHERE s.household_id = l.household_id AND s.effective_on <= l.effective_on
     ORDER BY s.effective_on DESC, s.of_position DESC
     LIMIT 1) c ON true
 WHERE c.category IS NULL OR NOT c.category = ANY (%(categories)s)
