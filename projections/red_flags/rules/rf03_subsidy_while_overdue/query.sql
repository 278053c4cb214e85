WITH extended AS (
  SELECT DISTINCT ON (loan_id) loan_id, new_due_on AS due_on
    FROM facts.standing_extension(%(as_of)s, %(known_at)s)
   ORDER BY loan_id, effective_on DESC, agreed_on DESC, new_due_on DESC
), counted AS MATERIALIZED (
  SELECT s.loan_id, s.period, s.payment_no, s.of_position, s.recorded_at,
         bool_or(s.until > x.due_on) AS late,
         sum(s.principal_fen * (s.until - s.first) * s.rate_bp * s.share_bp) AS units,
         sum(s.principal_fen * greatest(least(s.until, x.due_on) - s.first, 0)
             * s.rate_bp * s.share_bp) AS due_units
    FROM facts.standing_subsidised(%(as_of)s, %(known_at)s) s
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
    LEFT JOIN extended e USING (loan_id)
   CROSS JOIN LATERAL (SELECT coalesce(e.due_on, l.due_on) AS due_on) x
   WHERE NOT EXISTS (SELECT FROM facts.subsidy b
                      WHERE b.payment_no = s.payment_no AND b.paid_fen < 0
                        AND b.effective_on <= %(as_of)s AND b.recorded_at <= %(known_at)s)
   GROUP BY s.loan_id, s.period, s.payment_no, s.of_position, s.recorded_at
), net AS (
  -- what was paid and not recovered, after each payment and each recovery
  SELECT b.loan_id, b.period, b.recorded_at, b.position,
         sum(b.paid_fen - b.recovered_fen) OVER (PARTITION BY b.loan_id, b.period
                                                 ORDER BY b.recorded_at) AS fen
    FROM facts.subsidy b
   WHERE b.effective_on <= %(as_of)s AND b.recorded_at <= %(known_at)s
     AND EXISTS (SELECT FROM counted c
                  WHERE c.late AND c.loan_id = b.loan_id AND c.period = b.period)
), above AS MATERIALIZED (
  -- each side is rounded once a loan and quarter, as the settlement rounds it
  SELECT n.loan_id, n.period, n.recorded_at, n.position,
         least(n.fen, div(2 * max(c.units) + u.fen, 2 * u.fen))
         - div(2 * max(c.due_units) + u.fen, 2 * u.fen) AS fen
    FROM net n
    JOIN counted c ON c.loan_id = n.loan_id AND c.period = n.period
                  AND c.recorded_at <= n.recorded_at
   CROSS JOIN (SELECT %(day_count)s::numeric * 100000000 AS fen) u
   GROUP BY n.loan_id, n.period, n.recorded_at, n.position, n.fen, u.fen
  HAVING bool_or(c.late)
), since AS (
  SELECT DISTINCT ON (loan_id, period) *
    FROM above
   WHERE fen > 0
   ORDER BY loan_id, period, recorded_at, position
), at_last AS (
  SELECT DISTINCT ON (loan_id, period) *
    FROM above
   ORDER BY loan_id, period, recorded_at DESC, position DESC
)
SELECT l.bank || '/' || l.loan_no || ' ' || o.period AS subject, o.fen AS amount_fen,
       ARRAY(SELECT l.of_position
              UNION
             SELECT k.position
              UNION
             SELECT c.of_position
               FROM counted c
              WHERE c.late AND c.loan_id = o.loan_id AND c.period = o.period
                AND c.recorded_at <= k.recorded_at) AS positions
  FROM at_last o
  JOIN since k USING (loan_id, period)
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
 WHERE o.fen > 0
