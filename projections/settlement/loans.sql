-- 结息：what the arithmetic of the domain needs of every loan that may have earned by a day.
-- as_of, known_at; until: the end of the last quarter asked for; loans: which (null: all). One row a
-- loan.
WITH moved AS (
  SELECT loan_id, effective_on, sum(amount_fen)::bigint AS amount_fen
    FROM facts.posting
   WHERE account = 'principal' AND effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
     AND (%(loans)s::uuid[] IS NULL OR loan_id = ANY (%(loans)s::uuid[]))
   GROUP BY loan_id, effective_on
), movements AS (
  SELECT loan_id, array_agg(effective_on ORDER BY effective_on) AS days,
         array_agg(amount_fen ORDER BY effective_on) AS fens
    FROM moved WHERE amount_fen <> 0 GROUP BY loan_id
), settled AS (
  SELECT loan_id, max(effective_on) AS settled_on
    FROM facts.standing_settlement(%(as_of)s, %(known_at)s)
   WHERE %(loans)s::uuid[] IS NULL OR loan_id = ANY (%(loans)s::uuid[])
   GROUP BY loan_id
), diverted AS (
  SELECT loan_id, min(coalesce(began_on, effective_on)) AS misuse_on
    FROM facts.standing_usage_check(%(as_of)s, %(known_at)s)
   WHERE finding = 'diverted'
     AND (%(loans)s::uuid[] IS NULL OR loan_id = ANY (%(loans)s::uuid[]))
   GROUP BY loan_id
), category AS (
  SELECT DISTINCT ON (l.loan_id) l.loan_id, s.category
    FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
    JOIN facts.standing_status(%(as_of)s, %(known_at)s) s
      ON s.household_id = l.household_id AND s.effective_on <= l.effective_on
   WHERE %(loans)s::uuid[] IS NULL OR l.loan_id = ANY (%(loans)s::uuid[])
   ORDER BY l.loan_id, s.effective_on DESC, s.of_position DESC
)
SELECT l.loan_id::text, l.bank, l.loan_no, l.household_id::text, l.household_no,
       coalesce(h.township, '') AS township, coalesce(h.village, '') AS village, c.category,
       l.effective_on AS disbursed_on, l.contract_on, l.due_on, l.annual_rate_bp,
       s.settled_on, d.misuse_on, m.days, m.fens
  FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
  JOIN movements m USING (loan_id)
  LEFT JOIN facts.standing_household(%(as_of)s, %(known_at)s) h USING (household_id)
  LEFT JOIN category c USING (loan_id)
  LEFT JOIN settled s USING (loan_id)
  LEFT JOIN diverted d USING (loan_id)
 WHERE l.effective_on < %(until)s
   AND (%(loans)s::uuid[] IS NULL OR l.loan_id = ANY (%(loans)s::uuid[]))
 ORDER BY l.bank, l.loan_no
