WITH step AS (
  SELECT * FROM facts.batch_step
   WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
), approved AS (
  SELECT s.batch_id, b.batch_no, s.effective_on AS on_day, s.of_position
    FROM step s
    JOIN facts.batch b USING (batch_id)
   WHERE s.step = 'approved' AND s.effective_on + %(unpaid)s < %(today)s
     AND NOT EXISTS (SELECT FROM step r WHERE r.batch_id = s.batch_id AND r.step = 'returned')
), waiting AS (
  SELECT a.batch_no, a.on_day, a.of_position, sum(l.amount_fen) AS fen
    FROM approved a
    JOIN facts.batch_line l USING (batch_id)
   WHERE l.kind <> 'recovery'
     AND NOT EXISTS (SELECT FROM step w
                      WHERE w.batch_id = l.batch_id AND w.line = l.line
                        AND w.step = 'resolved' AND w.upheld)
     AND NOT EXISTS (
           SELECT FROM facts.batch_line_step d
            WHERE d.batch_id = l.batch_id AND d.line = l.line
              AND d.step IN ('held', 'paid', 'failed')
              AND d.effective_on <= %(as_of)s AND d.recorded_at <= %(known_at)s)
   GROUP BY a.batch_no, a.on_day, a.of_position
), fund AS (
  SELECT * FROM facts.standing_fund(%(as_of)s, %(known_at)s)
), allocated AS (
  SELECT year, voucher, effective_on AS on_day, of_position, amount_fen,
         sum(amount_fen) OVER (PARTITION BY year ORDER BY effective_on, of_position) AS so_far_fen
    FROM fund
   WHERE counter_account = 'treasury'
), paid AS (
  SELECT year, sum(CASE account WHEN 'paid' THEN amount_fen ELSE -amount_fen END) AS fen
    FROM fund
   WHERE 'paid' IN (account, counter_account)
   GROUP BY year
)
SELECT batch_no AS subject, fen AS amount_fen, ARRAY[of_position] AS positions,
       on_day + %(unpaid)s + 1 AS since
  FROM waiting
 UNION ALL
SELECT a.year || ' ' || a.voucher, least(a.amount_fen, a.so_far_fen - coalesce(p.fen, 0)),
       ARRAY[a.of_position], a.on_day + %(idle)s + 1
  FROM allocated a
  LEFT JOIN paid p USING (year)
 WHERE a.so_far_fen > coalesce(p.fen, 0) AND a.on_day + %(idle)s < %(today)s
