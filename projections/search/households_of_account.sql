-- The households to whose loans an account is: it received or repaid one. as_of, known_at; pseudonym.
SELECT l.household_no FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
 WHERE l.payee = %(pseudonym)s
 UNION
SELECT l.household_no
  FROM facts.standing_repayment(%(as_of)s, %(known_at)s) r
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
 WHERE r.payer = %(pseudonym)s
 ORDER BY 1
