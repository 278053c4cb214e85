-- All loans of a household, or of the households that have a loan of this number; by their ids.
-- household_id, loan_no (null: whichever).
SELECT DISTINCT o.loan_id::text
  FROM facts.loan l
  JOIN facts.loan o USING (household_id)
 WHERE (%(household_id)s::uuid IS NULL OR l.household_id = %(household_id)s)
   AND (%(loan_no)s::text IS NULL OR l.loan_no = %(loan_no)s)
 ORDER BY 1
