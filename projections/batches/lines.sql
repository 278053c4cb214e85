-- 批次明细: the lines of one batch, as of a day, as known at an instant.
-- as_of, known_at; batch_id; bank, township, village, household_no: which lines (null: all).
SELECT l.line, l.township, l.village, l.household_no, l.bank, l.loan_no, l.period, l.kind,
       l.due_fen, l.paid_before_fen, l.amount_fen, l.note,
       CASE WHEN EXISTS (
              SELECT FROM facts.batch_step r
               WHERE r.batch_id = l.batch_id AND r.line = l.line AND r.step = 'resolved' AND r.upheld
                 AND r.effective_on <= %(as_of)s AND r.recorded_at <= %(known_at)s)
            THEN 'withdrawn' ELSE coalesce(done.step, 'listed') END AS state,
       done.reason, n.purpose, n.principal_fen, n.annual_rate_bp,
       n.effective_on AS disbursed_on, n.due_on, n.borrower, l.loan_id::text
  FROM facts.batch_line l
  LEFT JOIN facts.standing_loan(%(as_of)s, %(known_at)s) n USING (loan_id)
  LEFT JOIN LATERAL (
    SELECT s.step, s.reason FROM facts.batch_line_step s
     WHERE s.batch_id = l.batch_id AND s.line = l.line
       AND s.effective_on <= %(as_of)s AND s.recorded_at <= %(known_at)s
     ORDER BY s.position DESC, s.step DESC LIMIT 1) done ON true
 WHERE l.batch_id = %(batch_id)s
   AND l.effective_on <= %(as_of)s AND l.recorded_at <= %(known_at)s
   AND (%(bank)s::text IS NULL OR l.bank = %(bank)s)
   AND (%(township)s::text IS NULL OR l.township = %(township)s)
   AND (%(village)s::text IS NULL OR l.village = %(village)s)
   AND (%(household_no)s::text IS NULL OR l.household_no = %(household_no)s)
 ORDER BY l.line
