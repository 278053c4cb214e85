-- 应付分红与增收款: what each agreement owes each household by day, and what it received, in order.
-- as_of, known_at; township, village, household_no: whose (null: all).
WITH due AS (
  SELECT benefit_id, township, household_no, min(of_position) AS opened_by,
         min(effective_on) AS signed_on, due_on, sum(due_fen)::bigint AS due_fen
    FROM facts.standing_benefit_due(%(as_of)s, %(known_at)s)
   WHERE %(township)s::text IS NULL OR township = %(township)s
   GROUP BY benefit_id, township, household_no, due_on
), paid AS (
  SELECT benefit_id, household_no, array_agg(effective_on ORDER BY effective_on, of_position) AS days,
         array_agg(of_position ORDER BY effective_on, of_position) AS positions,
         array_agg(amount_fen ORDER BY effective_on, of_position) AS fens
    FROM facts.standing_benefit_paid(%(as_of)s, %(known_at)s) GROUP BY benefit_id, household_no
)
SELECT d.township, min(h.village) AS village, d.household_no, min(d.opened_by) AS opened_by, min(d.signed_on) AS signed_on,
       array_agg(d.due_on ORDER BY d.due_on) AS due_days,
       array_agg(d.due_fen ORDER BY d.due_on) AS due_fens,
       (SELECT p.days FROM paid p WHERE p.benefit_id = d.benefit_id
                                    AND p.household_no = d.household_no) AS days,
       (SELECT p.positions FROM paid p WHERE p.benefit_id = d.benefit_id
                                         AND p.household_no = d.household_no) AS positions,
       (SELECT p.fens FROM paid p WHERE p.benefit_id = d.benefit_id
                                    AND p.household_no = d.household_no) AS fens
  FROM due d
  LEFT JOIN facts.standing_household(%(as_of)s, %(known_at)s) h USING (household_no)
 WHERE (%(village)s::text IS NULL OR h.village = %(village)s)
   AND (%(household_no)s::text IS NULL OR d.household_no = %(household_no)s)
 GROUP BY d.benefit_id, d.township, d.household_no
