WITH status AS (
  SELECT household_id, category, effective_on AS first,
         lead(effective_on, 1, 'infinity') OVER (PARTITION BY household_id
                                                 ORDER BY effective_on, of_position) AS until
    FROM facts.standing_status(%(as_of)s, %(known_at)s)
), eligible AS (
  SELECT m.month_end, count(s.household_id) AS households
    FROM (SELECT DISTINCT month_end FROM scale) m
    LEFT JOIN status s ON s.first <= m.month_end AND s.until > m.month_end
                      AND s.category = ANY (%(categories)s)
   GROUP BY m.month_end
)
SELECT s.bank || ' ' || s.period AS subject,
       greatest(abs(s.reported_fen - s.ledger_fen),
                abs(s.reported_disbursed_fen - s.ledger_disbursed_fen)) AS amount_fen,
       CASE WHEN s.then_differs OR s.reported_households > e.households THEN ARRAY[s.of_position]
            ELSE array_remove(ARRAY[s.of_position, s.next_position], NULL) END AS positions
  FROM scale s
  JOIN eligible e USING (month_end)
 WHERE s.differs OR s.reported_households > e.households
