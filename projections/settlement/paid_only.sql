-- 曾拨付而当日无放款: loans for which something was paid or is held, though nothing of them is lent as
-- of the day: the disbursement was corrected to a later day, or taken back.
-- as_of, known_at; loans: which. Each as it was reported last; it owes nothing, so it earns nothing.
SELECT DISTINCT ON (l.bank, l.loan_no) l.loan_id::text, l.bank, l.loan_no, l.household_id::text,
       l.household_no, coalesce(h.township, '') AS township, coalesce(h.village, '') AS village,
       (SELECT s.category FROM facts.standing_status(%(as_of)s, %(known_at)s) s
         WHERE s.household_id = l.household_id AND s.effective_on <= l.effective_on
         ORDER BY s.effective_on DESC, s.of_position DESC LIMIT 1) AS category,
       l.effective_on AS disbursed_on, l.contract_on, l.due_on, l.annual_rate_bp,
       NULL::date AS settled_on, NULL::date AS misuse_on, '{}'::date[] AS days, '{}'::bigint[] AS fens
  FROM facts.loan l
  LEFT JOIN facts.standing_household(%(as_of)s, %(known_at)s) h USING (household_id)
 WHERE l.loan_id = ANY (%(loans)s::uuid[]) AND l.sign = 1 AND l.recorded_at <= %(known_at)s
 ORDER BY l.bank, l.loan_no, l.of_position DESC
