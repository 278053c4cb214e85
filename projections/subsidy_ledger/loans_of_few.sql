-- The loan of each payment `p` as `l`, standing as of the day or as reported last, and its household
-- as `h`: each looked up, so that the first payments of an order cost themselves. as_of, known_at.
JOIN LATERAL (
  SELECT * FROM facts.standing_loan(%(as_of)s, %(known_at)s) s WHERE s.loan_id = p.loan_id
   UNION ALL
  SELECT * FROM (SELECT *
                   FROM facts.loan
                  WHERE loan_id = p.loan_id AND sign = 1 AND recorded_at <= %(known_at)s
                  ORDER BY of_position DESC
                  LIMIT 1) gone
   WHERE NOT EXISTS (SELECT FROM facts.standing_loan(%(as_of)s, %(known_at)s) s
                      WHERE s.loan_id = gone.loan_id)) l ON true
LEFT JOIN LATERAL (
  SELECT * FROM facts.standing_household(%(as_of)s, %(known_at)s) s
   WHERE s.household_id = l.household_id) h ON true
