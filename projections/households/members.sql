-- 户成员: who belongs to a household or left it, as of a day, as known at an instant.
-- as_of, known_at; household_id.
SELECT DISTINCT ON (person) person, relation, head, joined, effective_on AS since
  FROM facts.standing_member(%(as_of)s, %(known_at)s)
 WHERE household_id = %(household_id)s
 ORDER BY person, effective_on DESC, of_position DESC
