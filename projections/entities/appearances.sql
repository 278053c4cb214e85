-- Every appearance of an account or a person, by pseudonym: in what role, in what event.
-- as_of, known_at; loans: as what it appears in these alone (null: in all). in_fen: what reached it there; out_fen: what left it.
WITH lent AS (
  SELECT * FROM facts.standing_loan(%(as_of)s, %(known_at)s)
   WHERE %(loans)s::uuid[] IS NULL OR loan_id = ANY (%(loans)s)
), appearance AS (
  SELECT 'account' AS kind, payee AS pseudonym, 'payee' AS role, household_no, bank, loan_no,
         credited_fen AS in_fen, 0::bigint AS out_fen, effective_on, recorded_at, position
    FROM lent
   UNION ALL
  SELECT 'account', r.payer, 'payer', l.household_no, l.bank, l.loan_no, 0,
         r.principal_fen + r.interest_fen + r.penalty_fen, r.effective_on, r.recorded_at, r.position
    FROM facts.standing_repayment(%(as_of)s, %(known_at)s) r JOIN lent l USING (loan_id)
   UNION ALL
  SELECT 'account', o.to_account, 'receiver', l.household_no, l.bank, l.loan_no, o.amount_fen, 0,
         o.effective_on, o.recorded_at, o.position
    FROM facts.standing_outflow(%(as_of)s, %(known_at)s) o JOIN lent l USING (loan_id)
   UNION ALL
  SELECT 'account', o.from_account, 'payer', l.household_no, l.bank, l.loan_no, 0, o.amount_fen,
         o.effective_on, o.recorded_at, o.position
    FROM facts.standing_outflow(%(as_of)s, %(known_at)s) o JOIN lent l USING (loan_id)
   WHERE o.from_account IS NOT NULL
   UNION ALL
  SELECT 'account', s.payee, 'subsidy_payee', l.household_no, l.bank, l.loan_no, s.paid_fen, 0,
         s.effective_on, s.recorded_at, s.position
    FROM facts.standing_subsidy(%(as_of)s, %(known_at)s) s JOIN lent l USING (loan_id)
   WHERE s.payee LIKE 'account-%%'
   UNION ALL
  SELECT 'person', borrower, 'borrower', household_no, bank, loan_no, credited_fen, 0, effective_on,
         recorded_at, position
    FROM lent
   UNION ALL
  SELECT 'person', m.person, 'member', h.household_no, NULL, NULL, 0, 0, m.effective_on,
         m.recorded_at, m.position
    FROM facts.standing_member(%(as_of)s, %(known_at)s) m
    JOIN facts.standing_household(%(as_of)s, %(known_at)s) h USING (household_id)
   WHERE m.joined
)
