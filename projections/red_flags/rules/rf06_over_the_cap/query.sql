WITH moved AS (
  SELECT l.household_id, l.household_no, p.effective_on AS on_day, sum(p.amount_fen) AS fen
    FROM facts.posting p
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
   WHERE p.account = 'principal' AND p.effective_on <= %(as_of)s AND p.recorded_at <= %(known_at)s
   GROUP BY l.household_id, l.household_no, p.effective_on
), owed AS (
  SELECT household_id, household_no,
         sum(fen) OVER (PARTITION BY household_id ORDER BY on_day) AS fen
    FROM moved
), most AS (
  SELECT household_id, household_no, max(fen) AS fen
    FROM owed
   GROUP BY household_id, household_no
  HAVING max(fen) > %(cap)s
), told AS MATERIALIZED (
  SELECT l.household_id, p.effective_on AS on_day, p.recorded_at, p.position, p.amount_fen
    FROM most m
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (household_id)
    JOIN facts.posting p USING (loan_id)
   WHERE p.account = 'principal' AND p.effective_on <= %(as_of)s AND p.recorded_at <= %(known_at)s
), above AS (
  -- what was known to be owed on each day after each statement, while above the cap
  SELECT c.household_id, c.recorded_at, d.on_day
    FROM (SELECT DISTINCT household_id, recorded_at FROM told) c
    JOIN (SELECT DISTINCT household_id, on_day FROM told) d USING (household_id)
    JOIN told x ON x.household_id = c.household_id AND x.on_day <= d.on_day
               AND x.recorded_at <= c.recorded_at
   GROUP BY c.household_id, c.recorded_at, d.on_day
  HAVING sum(x.amount_fen) > %(cap)s
), since AS (
  SELECT DISTINCT ON (household_id) household_id, recorded_at, on_day
    FROM above
   ORDER BY household_id, recorded_at, on_day
)
SELECT m.household_no AS subject, m.fen - %(cap)s AS amount_fen,
       (SELECT array_agg(DISTINCT t.position)
          FROM told t
         WHERE t.household_id = m.household_id AND t.recorded_at <= s.recorded_at
           AND t.on_day <= s.on_day) AS positions
  FROM most m
  JOIN since s USING (household_id)
