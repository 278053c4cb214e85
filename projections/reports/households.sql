-- 在册户: every household of the register, and whether it is eligible on the day.
-- as_of, known_at; categories: the eligible ones.
SELECT h.household_no, coalesce(c.category = ANY(%(categories)s::text[]), false) AS eligible
  FROM facts.standing_household(%(as_of)s, %(known_at)s) h
  LEFT JOIN (SELECT DISTINCT ON (household_id) household_id, category
               FROM facts.standing_status(%(as_of)s, %(known_at)s)
              ORDER BY household_id, effective_on DESC, of_position DESC) c USING (household_id)
