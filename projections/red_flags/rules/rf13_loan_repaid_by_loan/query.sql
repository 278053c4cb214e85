WITH RECURSIVE lent AS MATERIALIZED (
  SELECT loan_id, household_id, bank, loan_no, principal_fen, effective_on, renews_loan_no,
         of_position
    FROM facts.standing_loan(%(as_of)s, %(known_at)s)
), chain AS (
  SELECT loan_id, bank, loan_no, principal_fen, ARRAY[of_position] AS positions
    FROM lent
   WHERE renews_loan_no IS NULL
   UNION ALL
  SELECT n.loan_id, n.bank, n.loan_no, n.principal_fen,
         CASE WHEN n.principal_fen = c.principal_fen THEN c.positions || n.of_position
              ELSE ARRAY[n.of_position] END
    FROM chain c
    JOIN lent n ON n.bank = c.bank AND n.renews_loan_no = c.loan_no
)
SELECT o.bank || '/' || o.loan_no AS subject, max(n.principal_fen) AS amount_fen,
       ARRAY[min(s.of_position), min(n.of_position)] AS positions
  FROM facts.standing_settlement(%(as_of)s, %(known_at)s) s
  JOIN lent o USING (loan_id)
  JOIN lent n ON n.household_id = o.household_id AND n.loan_id <> o.loan_id
             AND n.effective_on BETWEEN s.effective_on - %(days)s AND s.effective_on + %(days)s
 WHERE n.effective_on > o.effective_on
   AND NOT (n.bank = o.bank AND n.renews_loan_no IS NOT DISTINCT FROM o.loan_no)
 GROUP BY o.bank, o.loan_no
 UNION ALL
SELECT c.bank || '/' || c.loan_no, c.principal_fen, c.positions
  FROM chain c
 WHERE cardinality(c.positions) > %(renewals)s
