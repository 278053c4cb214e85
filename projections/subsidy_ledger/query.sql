-- 贴息台账: one line a subsidy payment, as of a day, as known at an instant, oldest first.
-- as_of, known_at; bank, township: whose lines (null: all);
-- {guaranteed}: of the guarantor's loans (see facts/reading.py);
-- one_loan: the number of the loan asked about, if it is one (null: all);
-- {chosen}: which of these, by what a payment itself holds (see ledger_choice.py; empty: all);
-- {page}: how many of them, in order (empty: all); {of_page}: of these lines alone, so that a page
-- looks for what came back of its own payments (empty: all);
-- behind facts.subsidy: the payments' loans as `l` and their households as `h` (loans_of_all.sql
-- joins them all at once, loans_of_few.sql looks up those of each payment).
-- Amounts in fen; loan_id as text, as in the loan ledger.
-- What came back unspent (退票) is returned_fen, what was asked back recovered_fen.
-- A payment stays a line when its loan is not lent as of the day: the disbursement was corrected
-- to a later day. It then names the loan as it was reported last.
WITH line AS (
  SELECT h.township, h.village, l.household_no, l.bank, l.loan_no, p.period, p.payment_no,
         p.effective_on, p.due_fen, p.paid_fen, p.voucher, l.principal_fen, l.annual_rate_bp,
         l.borrower, l.loan_id, p.of_position
    FROM facts.subsidy p
{loans}   WHERE p.recovery_no IS NULL
     AND p.effective_on <= %(as_of)s AND p.recorded_at <= %(known_at)s
     AND (%(bank)s::text IS NULL OR l.bank = %(bank)s)
     AND (%(township)s::text IS NULL OR h.township = %(township)s)
     AND {guaranteed}{chosen}
   {page}
), back AS (
  SELECT payment_no, sum(recovered_fen)::bigint AS recovered_fen,
         -sum(paid_fen)::bigint AS returned_fen
    FROM facts.subsidy
   WHERE recovery_no IS NOT NULL
     AND effective_on <= %(as_of)s AND recorded_at <= %(known_at)s {of_page}
   GROUP BY payment_no
)
SELECT p.township, p.village, p.household_no, p.bank, p.loan_no, p.period, p.payment_no,
       p.effective_on AS paid_on, p.due_fen, p.paid_fen,
       coalesce(b.recovered_fen, 0) AS recovered_fen,
       coalesce(b.returned_fen, 0) AS returned_fen,
       p.paid_fen - coalesce(b.recovered_fen, 0) - coalesce(b.returned_fen, 0) AS net_fen,
       p.voucher, p.principal_fen, p.annual_rate_bp, p.borrower, p.loan_id::text,
       p.of_position AS position
  FROM line p
  LEFT JOIN back b USING (payment_no)
 ORDER BY p.of_position
