-- 贷款台账: one line a loan, as of a day, as known at an instant.
-- as_of, known_at; bank, township: whose loans (null: all);
-- {guaranteed}: of the guarantor's loans (see facts/reading.py);
-- household_id: of one household (null: all), by its index;
-- {chosen}: which of these, by what a loan itself holds (see ledger_choice.py; empty: all);
-- {page}: how many of them, in order (empty: all); {of_page} and the like: of these lines
-- alone, so that a page sums its own postings and not the county's (empty: all).
-- Amounts in fen, rates in basis points.
-- loan_id leaves as text: rows of plain values are none of the garbage collector's business, and a
-- whole county of rows with an object in each was a third slower to hand over.
WITH household AS (
  SELECT household_id, township, village, head
    FROM facts.standing_household(%(as_of)s, %(known_at)s)
), line AS (
  SELECT l.*, h.township, h.village, h.head
    FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
    LEFT JOIN household h USING (household_id)
   WHERE (%(bank)s::text IS NULL OR l.bank = %(bank)s)
     AND (%(township)s::text IS NULL OR h.township = %(township)s)
     AND (%(household_id)s::uuid IS NULL OR l.household_id = %(household_id)s)
     AND {guaranteed}{chosen}
   {page}
), category AS (
  SELECT DISTINCT ON (household_id) household_id, category
    FROM facts.standing_status(%(as_of)s, %(known_at)s)
   {of_page_households}
   ORDER BY household_id, effective_on DESC, of_position DESC
), money AS (
  SELECT loan_id,
         sum(amount_fen) FILTER (WHERE account = 'principal')::bigint AS outstanding_fen,
         sum(amount_fen) FILTER (WHERE account = 'interest')::bigint AS interest_fen,
         sum(amount_fen) FILTER (WHERE account = 'penalty')::bigint AS penalty_fen,
         sum(amount_fen) FILTER (WHERE account = 'subsidy')::bigint AS subsidy_fen
    FROM facts.posting
   WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s {and_of_page}
   GROUP BY loan_id
), due AS (
  SELECT DISTINCT ON (loan_id) loan_id, new_due_on AS due_on
    FROM facts.standing_extension(%(as_of)s, %(known_at)s)
   {of_page}
   ORDER BY loan_id, effective_on DESC, agreed_on DESC, new_due_on DESC
), settled AS (
  SELECT loan_id, max(effective_on) AS settled_on
    FROM facts.standing_settlement(%(as_of)s, %(known_at)s)
   {of_page}
   GROUP BY loan_id
), checked AS (
  SELECT loan_id, count(*) AS checks, max(effective_on) AS last_check_on,
         min(effective_on) FILTER (WHERE finding = 'diverted') AS diverted_on
    FROM facts.standing_usage_check(%(as_of)s, %(known_at)s)
   {of_page}
   GROUP BY loan_id
)
SELECT l.township, l.village, l.household_no, c.category, l.bank, l.loan_no, l.contract_no,
       l.purpose, l.principal_fen, l.annual_rate_bp, l.effective_on AS disbursed_on,
       coalesce(due.due_on, l.due_on) AS due_on,
       (l.principal_fen - m.outstanding_fen)::bigint AS repaid_fen,
       m.outstanding_fen,
       coalesce(m.interest_fen, 0) AS interest_fen,
       coalesce(m.penalty_fen, 0) AS penalty_fen,
       coalesce(m.subsidy_fen, 0) AS subsidy_fen,
       s.settled_on,
       m.outstanding_fen > 0 AND %(as_of)s >= coalesce(due.due_on, l.due_on) AS overdue,
       coalesce(k.checks, 0) AS checks, k.last_check_on, k.diverted_on,
       l.borrower, l.loan_id::text
  FROM line l
  JOIN money m USING (loan_id)
  LEFT JOIN category c USING (household_id)
  LEFT JOIN due USING (loan_id)
  LEFT JOIN settled s USING (loan_id)
  LEFT JOIN checked k USING (loan_id)
 ORDER BY l.bank, l.loan_no
