-- 信贷需求与答复: the demands of each household and the banks' answers, in order of their days.
-- as_of, known_at; township, village, household_no: whose (null: all). A bank sees the answers of its own.
WITH asked AS (
  SELECT household_id, array_agg(effective_on ORDER BY effective_on, of_position) AS demand_days,
         array_agg(of_position ORDER BY effective_on, of_position) AS demand_positions
    FROM facts.standing_demand(%(as_of)s, %(known_at)s) GROUP BY household_id
), answered AS (
  SELECT household_id, array_agg(effective_on ORDER BY effective_on, of_position) AS answer_days,
         array_agg(of_position ORDER BY effective_on, of_position) AS answer_positions,
         array_agg(granted OR (reason IS NOT NULL AND told_on <= %(as_of)s)
                   ORDER BY effective_on, of_position) AS told,
         array_agg(bank ORDER BY effective_on, of_position) AS banks
    FROM facts.standing_credit(%(as_of)s, %(known_at)s) GROUP BY household_id
)
SELECT h.township, h.village, h.household_no, a.*, d.answer_days, d.answer_positions, d.told, d.banks
  FROM facts.standing_household(%(as_of)s, %(known_at)s) h
  JOIN asked a USING (household_id)
  LEFT JOIN answered d USING (household_id)
 WHERE (%(township)s::text IS NULL OR h.township = %(township)s)
   AND (%(village)s::text IS NULL OR h.village = %(village)s)
   AND (%(household_no)s::text IS NULL OR h.household_no = %(household_no)s)
