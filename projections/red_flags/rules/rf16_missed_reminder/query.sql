SELECT l.bank || '/' || l.loan_no || ' ' || n.duty || ' ' || n.due_on AS subject,
       l.principal_fen AS amount_fen, ARRAY[n.opened_by] AS positions, n.due_on + 1 AS since,
       array_remove(ARRAY[n.position], NULL) AS context
  FROM neglected n
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (bank, loan_no)
 WHERE n.duty IN ('first_reminder', 'written_reminder') AND n.due_on < %(today)s
