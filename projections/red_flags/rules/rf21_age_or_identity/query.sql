WITH home AS (
  SELECT person, household_id, of_position
    FROM (SELECT DISTINCT ON (household_id, person) household_id, person, joined,
                 min(of_position) FILTER (WHERE joined) OVER (PARTITION BY household_id, person)
                   AS of_position
            FROM facts.standing_member(%(as_of)s, %(known_at)s) m
           ORDER BY household_id, person, effective_on DESC, m.of_position DESC, joined DESC) m
   WHERE joined
), twice AS (
  SELECT person, array_agg(of_position ORDER BY of_position) AS them
    FROM home
   GROUP BY person
  HAVING count(*) > 1
)
SELECT l.bank || '/' || l.loan_no AS subject, l.principal_fen AS amount_fen,
       ARRAY[l.of_position] AS positions, '{}'::bigint[] AS context
  FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
 WHERE l.borrower_age_years < %(youngest)s OR l.borrower_age_years > %(oldest)s
 UNION ALL
SELECT 'person ' || t.person,
       (SELECT sum(l.principal_fen)
          FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
         WHERE l.borrower = t.person), t.them[1:2], t.them[3:]
  FROM twice t
