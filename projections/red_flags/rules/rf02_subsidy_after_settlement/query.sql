WITH paid AS MATERIALIZED (
  SELECT * FROM facts.standing_subsidised(%(as_of)s, %(known_at)s) s
   WHERE NOT EXISTS (SELECT FROM facts.subsidy b
                      WHERE b.payment_no = s.payment_no AND b.paid_fen < 0
                        AND b.effective_on <= %(as_of)s AND b.recorded_at <= %(known_at)s)
), moved AS (
  SELECT loan_id, effective_on AS on_day, sum(amount_fen) AS fen
    FROM facts.posting
   WHERE account = 'principal' AND effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
   GROUP BY loan_id, effective_on
), owed AS (
  SELECT loan_id, on_day AS first, lead(on_day, 1, 'infinity') OVER later AS until,
         sum(fen) OVER later AS fen
    FROM moved
  WINDOW later AS (PARTITION BY loan_id ORDER BY on_day)
   UNION ALL
  SELECT loan_id, '-infinity', min(on_day), 0
    FROM moved
   GROUP BY loan_id
), hit AS MATERIALIZED (
  SELECT DISTINCT s.loan_id, s.period
    FROM paid s
    JOIN owed o ON o.loan_id = s.loan_id AND o.first < s.until AND o.until > s.first
               AND o.fen < s.principal_fen
), mine AS MATERIALIZED (
  SELECT s.*
    FROM paid s
    JOIN hit USING (loan_id, period)
), known AS MATERIALIZED (
  SELECT s.loan_id, p.effective_on, p.recorded_at, p.position, p.amount_fen
    FROM (SELECT DISTINCT loan_id FROM hit) s
    JOIN facts.posting p USING (loan_id)
   WHERE p.account = 'principal' AND p.effective_on <= %(as_of)s AND p.recorded_at <= %(known_at)s
), net AS MATERIALIZED (
  SELECT b.loan_id, b.period, b.recorded_at, b.position, b.paid_fen - b.recovered_fen AS fen
    FROM facts.subsidy b
    JOIN hit USING (loan_id, period)
   WHERE b.effective_on <= %(as_of)s AND b.recorded_at <= %(known_at)s
), instant AS (
  SELECT loan_id, period, recorded_at
    FROM net
   UNION
  SELECT h.loan_id, h.period, k.recorded_at
    FROM hit h
    JOIN known k USING (loan_id)
), day AS (
  SELECT i.loan_id, i.recorded_at, k.effective_on AS on_day, sum(k.amount_fen) AS fen
    FROM (SELECT DISTINCT loan_id, recorded_at FROM instant) i
    JOIN known k ON k.loan_id = i.loan_id AND k.recorded_at <= i.recorded_at
   GROUP BY i.loan_id, i.recorded_at, k.effective_on
), debt AS MATERIALIZED (
  -- what was owed, as it was known at each instant
  SELECT loan_id, recorded_at, on_day AS first, lead(on_day, 1, 'infinity') OVER later AS until,
         sum(fen) OVER later AS fen
    FROM day
  WINDOW later AS (PARTITION BY loan_id, recorded_at ORDER BY on_day)
   UNION ALL
  SELECT loan_id, recorded_at, '-infinity', min(on_day), 0
    FROM day
   GROUP BY loan_id, recorded_at
), slip AS (
  SELECT i.loan_id, i.period, i.recorded_at, s.payment_no, max(s.until) AS until,
         sum(s.principal_fen * (s.until - s.first) * s.rate_bp * s.share_bp) AS units
    FROM instant i
    JOIN mine s ON s.loan_id = i.loan_id AND s.period = i.period AND s.recorded_at <= i.recorded_at
   GROUP BY i.loan_id, i.period, i.recorded_at, s.payment_no
), excess AS (
  SELECT i.loan_id, i.period, i.recorded_at, s.payment_no,
         sum((s.principal_fen - d.fen) * (least(s.until, d.until) - greatest(s.first, d.first))
             * s.rate_bp * s.share_bp) AS units
    FROM instant i
    JOIN mine s ON s.loan_id = i.loan_id AND s.period = i.period AND s.recorded_at <= i.recorded_at
    JOIN debt d ON d.loan_id = i.loan_id AND d.recorded_at = i.recorded_at
               AND d.first < s.until AND d.until > s.first AND d.fen < s.principal_fen
   GROUP BY i.loan_id, i.period, i.recorded_at, s.payment_no
), due AS (
  -- each side is rounded once a loan and quarter, as the settlement rounds it
  SELECT s.loan_id, s.period, s.recorded_at, max(s.until) AS until,
         div(2 * max(s.units) + u.fen, 2 * u.fen) AS counted_fen,
         div(2 * max(s.units - coalesce(x.units, 0)) + u.fen, 2 * u.fen) AS due_fen
    FROM slip s
    LEFT JOIN excess x USING (loan_id, period, recorded_at, payment_no)
   CROSS JOIN (SELECT %(day_count)s::numeric * 100000000 AS fen) u
   GROUP BY s.loan_id, s.period, s.recorded_at, u.fen
), above AS (
  SELECT d.loan_id, d.period, d.recorded_at, d.until,
         least(sum(n.fen), d.counted_fen) - d.due_fen AS fen
    FROM due d
    JOIN net n ON n.loan_id = d.loan_id AND n.period = d.period AND n.recorded_at <= d.recorded_at
   GROUP BY d.loan_id, d.period, d.recorded_at, d.until, d.counted_fen, d.due_fen
), since AS (
  SELECT DISTINCT ON (loan_id, period) *
    FROM above
   WHERE fen > 0
   ORDER BY loan_id, period, recorded_at
), at_last AS (
  SELECT DISTINCT ON (loan_id, period) *
    FROM above
   ORDER BY loan_id, period, recorded_at DESC
)
SELECT l.bank || '/' || l.loan_no || ' ' || o.period AS subject, o.fen AS amount_fen,
       ARRAY(SELECT m.of_position
               FROM mine m
              WHERE m.loan_id = o.loan_id AND m.period = o.period AND m.recorded_at <= k.recorded_at
              UNION
             SELECT m.position
               FROM known m
              WHERE m.loan_id = o.loan_id AND m.recorded_at <= k.recorded_at
                AND m.effective_on < k.until
              UNION
             SELECT m.position
               FROM net m
              WHERE m.loan_id = o.loan_id AND m.period = o.period
                AND m.recorded_at = k.recorded_at) AS positions
  FROM at_last o
  JOIN since k USING (loan_id, period)
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
 WHERE o.fen > 0
