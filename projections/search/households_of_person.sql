-- The households that a person is or was a member of. as_of, known_at; pseudonym.
SELECT DISTINCT h.household_no
  FROM facts.standing_member(%(as_of)s, %(known_at)s) m
  JOIN facts.standing_household(%(as_of)s, %(known_at)s) h USING (household_id)
 WHERE m.person = %(pseudonym)s AND m.joined
 ORDER BY 1
