-- 银行报表与账本: how many of a bank's monthly reports of the year differ from the ledger rebuilt at
-- the month's end, in loans, households or balance. as_of, known_at; first; bank (null: all).
WITH report AS (
  SELECT bank, loans, households, balance_fen,
         (to_date(period, 'YYYY-MM') + interval '1 month' - interval '1 day')::date AS month_end
    FROM facts.standing_scale_report(%(as_of)s, %(known_at)s)
   WHERE to_date(period, 'YYYY-MM') >= %(first)s
     AND (%(bank)s::text IS NULL OR bank = %(bank)s)
), owed AS (
  SELECT r.bank, r.month_end, l.loan_id, l.household_id, sum(p.amount_fen) AS fen
    FROM (SELECT DISTINCT bank, month_end FROM report) r
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l ON l.bank = r.bank
    JOIN facts.posting p ON p.loan_id = l.loan_id AND p.account = 'principal'
     AND p.effective_on <= r.month_end AND p.recorded_at <= %(known_at)s
   GROUP BY r.bank, r.month_end, l.loan_id, l.household_id HAVING sum(p.amount_fen) <> 0
), counted AS (
  SELECT bank, month_end, count(*) AS loans, count(DISTINCT household_id) AS households,
         sum(fen) AS balance_fen
    FROM owed GROUP BY bank, month_end
)
SELECT r.bank, count(*) AS reports,
       count(*) FILTER (WHERE (r.loans, r.households, r.balance_fen) IS DISTINCT FROM
         (coalesce(c.loans, 0), coalesce(c.households, 0), coalesce(c.balance_fen, 0))) AS differing
  FROM report r LEFT JOIN counted c USING (bank, month_end)
 GROUP BY r.bank ORDER BY r.bank
