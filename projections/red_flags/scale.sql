-- 规模核对: what each bank reported of a month, beside the ledger rebuilt at the month's end.
-- as_of, known_at. ledger_*: as known now; then_*: as known when the report was told.
WITH report AS MATERIALIZED (
  SELECT r.*, to_date(r.period, 'YYYY-MM') AS month
    FROM facts.standing_scale_report(%(as_of)s, %(known_at)s) r
), told AS MATERIALIZED (
  SELECT l.bank, l.loan_id, l.household_id, p.effective_on AS on_day, p.recorded_at, p.position,
         p.amount_fen AS fen, CASE WHEN p.counter_account = 'bank' THEN p.amount_fen ELSE 0 END AS lent_fen
    FROM facts.posting p
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
   WHERE p.account = 'principal' AND p.effective_on <= %(as_of)s AND p.recorded_at <= %(known_at)s
     AND EXISTS (SELECT FROM report)
), moved AS MATERIALIZED (
  SELECT bank, loan_id, household_id, on_day, sum(fen) AS fen, sum(lent_fen) AS lent_fen
    FROM told GROUP BY bank, loan_id, household_id, on_day
), loan AS (
  SELECT bank, household_id, on_day, fen, lent_fen, sum(fen) OVER own > 0 AS open,
         row_number() OVER own > 1 AND sum(fen) OVER own - fen > 0 AS was_open
    FROM moved WINDOW own AS (PARTITION BY loan_id ORDER BY on_day)
), home AS (
  SELECT bank, on_day, sum(fen) OVER own > 0 AS open, sum(fen) OVER own - fen > 0 AS was_open
    FROM (SELECT bank, household_id, on_day, sum(fen) AS fen FROM moved
           GROUP BY bank, household_id, on_day) h
  WINDOW own AS (PARTITION BY bank, household_id ORDER BY on_day)
), month AS (
  SELECT bank, month, sum(fen) AS fen, sum(lent_fen) AS lent_fen, sum(loans) AS loans,
         sum(households) AS households
    FROM (SELECT bank, date_trunc('month', on_day)::date AS month, fen, lent_fen,
                 open::int - was_open::int AS loans, 0 AS households FROM loan
           UNION ALL
          SELECT bank, date_trunc('month', on_day)::date, 0, 0, 0, open::int - was_open::int FROM home
           UNION ALL
          SELECT bank, month, 0, 0, 0, 0 FROM report) m
   GROUP BY bank, month
), ledger AS (
  SELECT bank, month, sum(fen) OVER so_far AS fen, lent_fen,
         sum(loans) OVER so_far AS loans, sum(households) OVER so_far AS households
    FROM month WINDOW so_far AS (PARTITION BY bank ORDER BY month)
), compared AS (
  SELECT r.bank, r.period, (r.month + interval '1 month' - interval '1 day')::date AS month_end,
         r.month, r.of_position, r.recorded_at, r.loans AS reported_loans,
         r.households AS reported_households, r.balance_fen AS reported_fen,
         r.disbursed_fen AS reported_disbursed_fen, l.loans::bigint AS ledger_loans,
         l.fen::bigint AS ledger_fen, l.lent_fen::bigint AS ledger_disbursed_fen,
         (r.loans, r.households, r.balance_fen, r.disbursed_fen)
           IS DISTINCT FROM (l.loans, l.households, l.fen, l.lent_fen) AS differs
    FROM report r JOIN ledger l USING (bank, month)
)
SELECT c.bank, c.period, c.month_end, c.of_position, c.reported_loans, c.reported_households,
       c.reported_fen, c.reported_disbursed_fen, c.ledger_loans, c.ledger_fen,
       c.ledger_disbursed_fen, c.differs, t.loans AS then_loans,
       (c.reported_loans, c.reported_households, c.reported_fen, c.reported_disbursed_fen)
         IS DISTINCT FROM (t.loans, t.households, t.fen, t.lent_fen) AS then_differs, n.next_position
  FROM compared c
  LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE o.fen > 0) AS loans,
           count(DISTINCT o.household_id) FILTER (WHERE o.fen > 0) AS households,
           coalesce(sum(o.fen), 0)::bigint AS fen, coalesce(sum(o.lent_fen), 0)::bigint AS lent_fen
      FROM (SELECT loan_id, household_id, sum(fen) AS fen,
                   sum(lent_fen) FILTER (WHERE on_day >= c.month) AS lent_fen
              FROM told
             WHERE c.differs AND bank = c.bank AND on_day <= c.month_end
               AND recorded_at <= c.recorded_at
             GROUP BY loan_id, household_id) o) t ON true
  LEFT JOIN LATERAL (
    SELECT min(position) AS next_position FROM told
     WHERE c.differs AND bank = c.bank AND on_day <= c.month_end AND recorded_at > c.recorded_at) n ON true
 ORDER BY c.bank, c.period
