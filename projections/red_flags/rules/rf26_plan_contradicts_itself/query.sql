WITH report AS (
  SELECT r.*, lag(r.balance_fen) OVER month AS before_fen, lag(r.of_position) OVER month AS before,
         lag(r.period) OVER month
           = to_char(to_date(r.period, 'YYYY-MM') - interval '1 month', 'YYYY-MM') AS follows
    FROM facts.standing_scale_report(%(as_of)s, %(known_at)s) r
  WINDOW month AS (PARTITION BY r.bank ORDER BY r.period)
)
SELECT 'plan ' || c.year || ' ' || c.code AS subject, c.excess_fen AS amount_fen,
       ARRAY(SELECT r.of_position FROM facts.ruling r WHERE r.recorded_at = c.known_from)
         AS positions,
       (c.known_from AT TIME ZONE 'Asia/Shanghai')::date AS since
  FROM contradiction c
 WHERE make_date(c.year, 1, 1) <= %(as_of)s
 UNION ALL
SELECT bank || ' ' || period || ' average', balance_fen - %(cap)s * households,
       ARRAY[of_position], NULL
  FROM report
 WHERE balance_fen > %(cap)s * households
 UNION ALL
SELECT bank || ' ' || period || ' households', balance_fen, ARRAY[of_position], NULL
  FROM report
 WHERE households > loans
 UNION ALL
SELECT bank || ' ' || period || ' balance', balance_fen - before_fen - disbursed_fen,
       ARRAY[of_position, before], NULL
  FROM report
 WHERE follows AND balance_fen > before_fen + disbursed_fen
