-- Loans that a usage check found diverted: since which check, and what was owed on the day on which
-- misuse began where a check knows it, else on the day of that check.
SELECT l.bank, l.loan_no, l.household_no, l.credited_fen, k.diverted_on, k.positions,
       (SELECT coalesce(sum(p.amount_fen), 0)::bigint FROM facts.posting p
         WHERE p.loan_id = l.loan_id AND p.account = 'principal'
           AND p.effective_on <= k.misuse_on AND p.recorded_at <= %(known_at)s) AS diverted_fen
  FROM (SELECT loan_id, min(effective_on) AS diverted_on, array_agg(of_position) AS positions,
               min(coalesce(began_on, effective_on)) AS misuse_on
          FROM facts.standing_usage_check(%(as_of)s, %(known_at)s)
         WHERE finding = 'diverted' GROUP BY loan_id) k
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
