-- The loans of a proof as they were told last, also if that was taken back since.
-- as_of, known_at; loans: their ids.
SELECT DISTINCT ON (l.loan_id) l.loan_id, l.household_id, l.bank, l.loan_no, l.household_no,
       h.township
  FROM facts.loan l
  LEFT JOIN facts.standing_household(%(as_of)s, %(known_at)s) h USING (household_id)
 WHERE l.loan_id = ANY (%(loans)s) AND l.sign = 1 AND l.recorded_at <= %(known_at)s
 ORDER BY l.loan_id, l.position DESC
