-- 户: one household, as of a day, as known at an instant.
-- as_of, known_at; household_id; bank, township: for this reader (null: for everybody). A bank
-- knows the households that it lends to.
SELECT h.household_id, h.household_no, h.township, h.village, h.effective_on AS registered_on,
       (SELECT s.category FROM facts.standing_status(%(as_of)s, %(known_at)s) s
         WHERE s.household_id = h.household_id
         ORDER BY s.effective_on DESC, s.of_position DESC LIMIT 1) AS category
  FROM facts.standing_household(%(as_of)s, %(known_at)s) h
 WHERE h.household_id = %(household_id)s
   AND (%(township)s::text IS NULL OR h.township = %(township)s)
   AND (%(bank)s::text IS NULL OR EXISTS (
        SELECT FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
         WHERE l.household_id = h.household_id AND l.bank = %(bank)s))
