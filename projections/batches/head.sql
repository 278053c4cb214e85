-- The head of a household, by pseudonym. as_of, known_at; household_id.
SELECT head FROM facts.standing_household(%(as_of)s, %(known_at)s)
 WHERE household_id = %(household_id)s
