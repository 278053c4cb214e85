WITH back AS (
  SELECT l.loan_id, l.bank, l.loan_no, l.principal_fen, l.of_position AS lent, p.of_position,
         -sum(p.amount_fen) OVER (PARTITION BY l.loan_id ORDER BY p.of_position) AS fen
    FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
    JOIN facts.standing_posting(%(as_of)s, %(known_at)s) p USING (loan_id)
   CROSS JOIN LATERAL (
      SELECT (date_trunc('month', l.effective_on) + interval '1 month')::date AS next_month) m
   WHERE p.counter_account = 'borrower' AND p.account = 'principal'
     AND (p.effective_on <= l.effective_on + %(days)s
          OR (l.effective_on >= m.next_month - %(last_days)s
              AND p.effective_on < m.next_month + %(first_days)s))
), since AS (
  SELECT loan_id, min(of_position) AS of_position
    FROM back
   WHERE fen * 10000 >= principal_fen * %(share)s::bigint
   GROUP BY loan_id
)
SELECT b.bank || '/' || b.loan_no AS subject, b.principal_fen AS amount_fen,
       array_prepend(b.lent, array_agg(b.of_position)) AS positions
  FROM back b
  JOIN since s ON s.loan_id = b.loan_id AND b.of_position <= s.of_position
 GROUP BY b.loan_id, b.bank, b.loan_no, b.principal_fen, b.lent
