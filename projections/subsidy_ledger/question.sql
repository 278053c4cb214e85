-- 贴息台账: one line a loan and settlement quarter, as of a day, as known at an instant.
-- as_of, known_at; bank, township, household_no, loan_no, period: which lines (null: all);
-- after_bank, after_loan_no, after_period: the line before this page; most: how many (null: all).
-- due_fen: what was due by the calculation of the last payment. Amounts in fen.
WITH paid AS (
  SELECT loan_id, period,
         count(*) FILTER (WHERE recovery_no IS NULL) AS payments,
         sum(paid_fen)::bigint AS paid_fen,
         sum(recovered_fen)::bigint AS recovered_fen,
         max(due_fen) AS due_fen,
         max(effective_on) FILTER (WHERE recovery_no IS NULL) AS last_paid_on,
         min(payment_no) FILTER (WHERE recovery_no IS NULL) AS first_payment_no
    FROM facts.subsidy
   WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
     AND (%(period)s::text IS NULL OR period = %(period)s)
   GROUP BY loan_id, period
)
SELECT h.township, h.village, l.household_no, l.bank, l.loan_no, p.period,
       l.principal_fen, l.annual_rate_bp, p.payments, p.due_fen, p.paid_fen, p.recovered_fen,
       (p.paid_fen - p.recovered_fen)::bigint AS net_fen, p.last_paid_on, p.first_payment_no,
       l.borrower, l.loan_id
  FROM paid p
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
  LEFT JOIN facts.standing_household(%(as_of)s, %(known_at)s) h USING (household_id)
 WHERE (%(bank)s::text IS NULL OR l.bank = %(bank)s)
   AND (%(township)s::text IS NULL OR h.township = %(township)s)
   AND (%(household_no)s::text IS NULL OR l.household_no = %(household_no)s)
   AND (%(loan_no)s::text IS NULL OR l.loan_no = %(loan_no)s)
   AND (%(after_bank)s::text IS NULL
        OR (l.bank, l.loan_no, p.period)
           > (%(after_bank)s, %(after_loan_no)s, %(after_period)s))
 ORDER BY l.bank, l.loan_no, p.period
 LIMIT %(most)s
