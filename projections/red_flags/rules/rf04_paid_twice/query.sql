WITH paid AS MATERIALIZED (
  SELECT l.household_no, s.loan_id, s.period, s.of_position, s.recorded_at, s.first, s.until,
         s.principal_fen, s.rate_bp * s.share_bp AS rate, l.effective_on AS lent_on,
         (l.bank || '/' || l.loan_no) COLLATE "C" AS number
    FROM facts.standing_subsidised(%(as_of)s, %(known_at)s) s
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
   WHERE NOT EXISTS (SELECT FROM facts.subsidy b
                      WHERE b.payment_no = s.payment_no AND b.paid_fen < 0
                        AND b.effective_on <= %(as_of)s AND b.recorded_at <= %(known_at)s)
), stretch AS (
  SELECT household_no, period, loan_id, fen, first < max(until) OVER (
           PARTITION BY household_no, period ORDER BY first, loan_id
           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS meets
    FROM (SELECT household_no, period, loan_id, max(principal_fen) AS fen, min(first) AS first,
                 max(until) AS until
            FROM paid
           GROUP BY household_no, period, loan_id) each
), shared AS MATERIALIZED (
  -- where two loans of a household were paid for the same days
  SELECT household_no, period
    FROM stretch
   GROUP BY household_no, period
  HAVING bool_or(meets) AND sum(fen) > %(cap)s
), mine AS MATERIALIZED (
  SELECT p.*
    FROM paid p
    JOIN shared USING (household_no, period)
), moved AS (
  SELECT loan_id, effective_on AS on_day, sum(amount_fen) AS fen
    FROM facts.posting
    JOIN (SELECT DISTINCT loan_id FROM mine) m USING (loan_id)
   WHERE account = 'principal' AND effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
   GROUP BY loan_id, effective_on
), owed AS MATERIALIZED (
  SELECT loan_id, on_day AS first, lead(on_day, 1, 'infinity') OVER later AS until,
         sum(fen) OVER later AS fen
    FROM moved
  WINDOW later AS (PARTITION BY loan_id ORDER BY on_day)
), counted AS MATERIALIZED (
  -- up to what was owed on the day: a loan that was repaid leaves its room to the younger one, and
  -- what was paid on it for the days after is RF02's
  SELECT p.household_no, p.period, p.loan_id, p.recorded_at, p.lent_on, p.number, p.rate,
         greatest(p.first, o.first) AS first, least(p.until, o.until) AS until,
         least(p.principal_fen, o.fen) AS principal_fen
    FROM mine p
    JOIN owed o ON o.loan_id = p.loan_id AND o.first < p.until AND o.until > p.first AND o.fen > 0
), net AS MATERIALIZED (
  -- what was paid and not recovered, after each payment and each recovery
  SELECT p.household_no, p.period, p.loan_id, b.recorded_at, b.position,
         sum(b.paid_fen - b.recovered_fen) OVER (PARTITION BY p.loan_id, p.period
                                                 ORDER BY b.recorded_at) AS fen
    FROM (SELECT DISTINCT household_no, period, loan_id FROM mine) p
    JOIN facts.subsidy b USING (loan_id, period)
   WHERE b.effective_on <= %(as_of)s AND b.recorded_at <= %(known_at)s
), line AS MATERIALIZED (
  -- as known at each of these instants: what the payments rest on that had not all come back
  SELECT i.household_no, i.period, i.recorded_at, p.loan_id, p.lent_on, p.number, p.first, p.until,
         p.principal_fen, p.rate, n.fen AS net_fen
    FROM (SELECT DISTINCT household_no, period, recorded_at FROM net) i
    JOIN counted p ON p.household_no = i.household_no AND p.period = i.period
               AND p.recorded_at <= i.recorded_at
   CROSS JOIN LATERAL (
      SELECT fen
        FROM net
       WHERE net.loan_id = p.loan_id AND net.period = p.period AND net.recorded_at <= i.recorded_at
       ORDER BY net.recorded_at DESC
       LIMIT 1) n
   WHERE n.fen > 0
), edge AS (
  SELECT household_no, period, recorded_at, on_day,
         lead(on_day) OVER (PARTITION BY household_no, period, recorded_at ORDER BY on_day) AS until
    FROM (SELECT household_no, period, recorded_at, first AS on_day
            FROM line
           UNION
          SELECT household_no, period, recorded_at, until
            FROM line) e
), day AS (
  -- the oldest loan keeps its room under the cap
  SELECT household_no, period, recorded_at, loan_id, net_fen, fen * days * rate AS units,
         least(fen, greatest(%(cap)s - (sum(fen) OVER older - fen), 0)) * days * rate AS due_units
    FROM (SELECT e.household_no, e.period, e.recorded_at, e.on_day, e.until - e.on_day AS days,
                 i.loan_id, i.lent_on, i.number, i.net_fen, max(i.principal_fen) AS fen,
                 max(i.rate) AS rate
            FROM edge e
            JOIN line i ON i.household_no = e.household_no AND i.period = e.period
                       AND i.recorded_at = e.recorded_at
                       AND i.first <= e.on_day AND i.until >= e.until
           GROUP BY e.household_no, e.period, e.recorded_at, e.on_day, e.until, i.loan_id,
                    i.lent_on, i.number, i.net_fen) each
  WINDOW older AS (PARTITION BY household_no, period, recorded_at, on_day ORDER BY lent_on, number)
), above AS MATERIALIZED (
  -- each side is rounded once a loan and quarter, as the settlement rounds it
  SELECT household_no, period, recorded_at, sum(fen) AS fen
    FROM (SELECT household_no, period, recorded_at,
                 greatest(least(net_fen, div(2 * sum(units) + u.fen, 2 * u.fen))
                          - div(2 * sum(due_units) + u.fen, 2 * u.fen), 0) AS fen
            FROM day
           CROSS JOIN (SELECT %(day_count)s::numeric * 100000000 AS fen) u
           GROUP BY household_no, period, recorded_at, loan_id, net_fen, u.fen) each
   GROUP BY household_no, period, recorded_at
), since AS (
  SELECT household_no, period, min(recorded_at) AS recorded_at
    FROM above
   WHERE fen > 0
   GROUP BY household_no, period
), at_last AS (
  SELECT household_no, period, max(recorded_at) AS recorded_at
    FROM net
   GROUP BY household_no, period
)
SELECT o.household_no || ' ' || o.period AS subject, o.fen AS amount_fen,
       ARRAY(SELECT p.of_position
               FROM mine p
              WHERE p.household_no = o.household_no AND p.period = o.period
                AND p.recorded_at <= k.recorded_at
              UNION
             SELECT n.position
               FROM net n
              WHERE n.household_no = o.household_no AND n.period = o.period
                AND n.recorded_at = k.recorded_at) AS positions
  FROM above o
  JOIN at_last USING (household_no, period, recorded_at)
  JOIN since k ON k.household_no = o.household_no AND k.period = o.period
 WHERE o.fen > 0
 UNION ALL
-- one loan's quarter, paid a second time beyond what the payments themselves say is due
SELECT l.bank || '/' || l.loan_no || ' ' || t.period, t.fen, t.positions
  FROM (SELECT loan_id, period, sum(paid_fen - recovered_fen) - max(due_fen) AS fen,
               array_agg(of_position ORDER BY of_position) FILTER (WHERE recovery_no IS NULL)
                 AS positions
          FROM facts.standing_subsidy(%(as_of)s, %(known_at)s)
         GROUP BY loan_id, period
        HAVING count(*) FILTER (WHERE recovery_no IS NULL) > 1) t
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
 WHERE t.fen > 0
