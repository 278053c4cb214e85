WITH rested AS (
  SELECT s.of_position AS look, s.organisation, s.person, l.household_no, l.of_position AS lent,
         l.principal_fen,
         EXISTS (SELECT FROM facts.standing_loan(%(as_of)s, %(known_at)s) n
                  WHERE n.loan_id = l.loan_id AND n.household_id = l.household_id) AS active,
         (SELECT max(r.position)
            FROM facts.loan r
           WHERE r.loan_id = l.loan_id AND r.household_id = l.household_id AND r.sign = -1
             AND r.recorded_at <= %(known_at)s) AS reversed
    FROM facts.standing_look(%(as_of)s, %(known_at)s) s
    JOIN facts.loan l ON l.household_id = s.household_id AND l.bank = s.organisation
     AND l.sign = 1 AND l.position < s.position
   WHERE s.role = 'bank' AND NOT EXISTS (
         SELECT FROM facts.loan r
          WHERE r.sign = -1 AND r.of_position = l.of_position AND r.position < s.position)
), looked AS (
  SELECT look, organisation || '/' || person || ' ' || household_no AS subject,
         sum(principal_fen) AS fen, max(reversed) AS known,
         array_agg(lent ORDER BY lent) || look || array_agg(reversed ORDER BY reversed) AS proof
    FROM rested
   GROUP BY look, organisation, person, household_no
  HAVING NOT bool_or(active)
)
SELECT DISTINCT ON (subject) subject, fen AS amount_fen, proof AS positions,
       (array_agg(look) OVER (PARTITION BY subject ORDER BY known, look
          ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))[2:] AS context
  FROM looked
 ORDER BY subject, known, look
