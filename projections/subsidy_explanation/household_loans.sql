-- 同户贷款: what is lent to one household at all banks. as_of, known_at; household_id.
SELECT loan_id::text FROM facts.standing_loan(%(as_of)s, %(known_at)s)
 WHERE household_id = %(household_id)s::uuid
 ORDER BY loan_id
