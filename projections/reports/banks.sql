-- 银行报送: how late each bank told its own statements of the year, and how many it took back.
-- as_of, known_at; first: the first day of the year; late_days: from when on it is late;
-- bank: which (null: all). A statement is a disbursement or a repayment.
WITH said AS (
  SELECT l.bank, p.of_position, p.position, p.recorded_at, p.effective_on
    FROM facts.posting p
    JOIN (SELECT DISTINCT loan_id, bank FROM facts.loan) l USING (loan_id)
   WHERE p.counter_account IN ('bank', 'borrower')
     AND p.effective_on BETWEEN %(first)s AND %(as_of)s AND p.recorded_at <= %(known_at)s
     AND (%(bank)s::text IS NULL OR l.bank = %(bank)s)
   GROUP BY 1, 2, 3, 4, 5
)
SELECT bank, count(*) FILTER (WHERE position = of_position) AS told,
       count(*) FILTER (WHERE position = of_position
         AND (recorded_at AT TIME ZONE 'Asia/Shanghai')::date - effective_on > %(late_days)s::int)
         AS told_late,
       count(*) FILTER (WHERE position <> of_position) AS taken_back
  FROM said GROUP BY bank
