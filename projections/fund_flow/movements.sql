-- 资金流动: what every other question here begins with: one row a movement of money from one holder
-- to another, as of a day, as known at an instant.
-- as_of, known_at. Nodes are kind and name, some of them a kind alone. `via`: the
-- household's own account that it went through.
-- loans: of what loans move, those of these alone (null: of all).
-- An account belongs to a household when loans of that household were paid to it; one that belongs
-- to several is theirs for their own loans' money, and nobody's for anything else.
WITH every_loan AS (
  SELECT DISTINCT household_no, payee, bank FROM facts.standing_loan(%(as_of)s, %(known_at)s)
), lent AS (
  SELECT * FROM facts.standing_loan(%(as_of)s, %(known_at)s)
   WHERE %(loans)s::uuid[] IS NULL OR loan_id = ANY (%(loans)s)
), own AS (
  SELECT DISTINCT household_no, payee AS account FROM every_loan
), owner AS (
  SELECT account, min(household_no) AS household_no FROM own GROUP BY account HAVING count(*) = 1
), lender AS (
  SELECT DISTINCT bank FROM every_loan
), movement AS (
  SELECT CASE WHEN counter_account = 'treasury' THEN 'allocated' WHEN account = 'reserved' THEN 'reserved'
              WHEN account = 'paid' THEN 'spent' WHEN counter_account = 'paid' THEN 'unspent'
              ELSE 'released' END AS kind,
         CASE counter_account WHEN 'treasury' THEN 'treasury' WHEN 'paid' THEN 'batch'
              ELSE 'budget' END AS from_kind,
         CASE counter_account WHEN 'treasury' THEN NULL WHEN 'paid' THEN batch_no
              ELSE year || '/' || counter_account END AS from_name,
         NULL::text AS via,
         CASE account WHEN 'paid' THEN 'batch' ELSE 'budget' END AS to_kind,
         CASE account WHEN 'paid' THEN batch_no ELSE year || '/' || account END AS to_name,
         amount_fen, effective_on, recorded_at, position, NULL::text AS bank, NULL::text AS loan_no,
         NULL::text AS household_no, batch_no, NULL::text AS receiver
    FROM facts.standing_fund(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT 'transfer', CASE WHEN p.bank IS NULL THEN 'office' ELSE 'bank' END, t.payer, NULL,
         CASE WHEN q.bank IS NULL THEN 'office' ELSE 'bank' END, t.payee,
         t.amount_fen, t.effective_on, t.recorded_at, t.position, NULL, NULL, NULL, NULL, NULL
    FROM facts.standing_transfer(%(as_of)s, %(known_at)s) t
    LEFT JOIN lender p ON p.bank = t.payer
    LEFT JOIN lender q ON q.bank = t.payee
   UNION ALL
  SELECT 'lent', 'bank', bank, payee, 'household', household_no, credited_fen, effective_on,
         recorded_at, position, bank, loan_no, household_no, NULL, NULL
    FROM lent WHERE credited_fen > 0
   UNION ALL -- what was kept back never left the bank
  SELECT 'withheld', 'bank', bank, NULL, 'bank', bank, principal_fen - credited_fen, effective_on,
         recorded_at, position, bank, loan_no, household_no, NULL, NULL
    FROM lent WHERE credited_fen < principal_fen
   UNION ALL
  SELECT 'subsidy', CASE WHEN s.batch_no IS NULL THEN 'treasury' ELSE 'batch' END,
         s.batch_no, CASE WHEN s.payee LIKE 'account-%%' THEN s.payee END,
         CASE WHEN s.payee IS NULL OR s.payee LIKE 'account-%%' THEN 'household' ELSE 'bank' END,
         CASE WHEN s.payee IS NULL OR s.payee LIKE 'account-%%' THEN l.household_no ELSE s.payee END,
         s.paid_fen, s.effective_on, s.recorded_at, s.position, l.bank, l.loan_no, l.household_no,
         s.batch_no, NULL
    FROM facts.standing_subsidy(%(as_of)s, %(known_at)s) s JOIN lent l USING (loan_id)
   WHERE s.recovery_no IS NULL AND s.paid_fen > 0
   UNION ALL -- what did not reach its payee goes the same way back
  SELECT 'returned',
         CASE WHEN s.payee IS NULL OR s.payee LIKE 'account-%%' THEN 'household' ELSE 'bank' END,
         CASE WHEN s.payee IS NULL OR s.payee LIKE 'account-%%' THEN l.household_no ELSE s.payee END,
         CASE WHEN s.payee LIKE 'account-%%' THEN s.payee END, 'batch', s.batch_no,
         -r.paid_fen, r.effective_on, r.recorded_at, r.position, l.bank, l.loan_no, l.household_no,
         s.batch_no, NULL
    FROM facts.standing_subsidy(%(as_of)s, %(known_at)s) r
    JOIN facts.standing_subsidy(%(as_of)s, %(known_at)s) s
      ON s.payment_no = r.payment_no AND s.loan_id = r.loan_id AND s.recovery_no IS NULL
    JOIN lent l ON l.loan_id = r.loan_id
   WHERE r.recovery_no IS NOT NULL AND r.paid_fen < 0
   UNION ALL -- from whom it was paid to
  SELECT 'recovered', CASE WHEN p.payee NOT LIKE 'account-%%' THEN 'bank' ELSE 'household' END,
         CASE WHEN p.payee NOT LIKE 'account-%%' THEN p.payee ELSE l.household_no END, NULL,
         'treasury', NULL, r.recovered_fen, r.effective_on, r.recorded_at, r.position, l.bank, l.loan_no,
         l.household_no, NULL, NULL
    FROM facts.standing_subsidy(%(as_of)s, %(known_at)s) r JOIN lent l USING (loan_id)
    LEFT JOIN LATERAL (
      SELECT payee FROM facts.standing_subsidy(%(as_of)s, %(known_at)s) s
       WHERE s.payment_no = r.payment_no AND s.recovery_no IS NULL LIMIT 1) p ON true
   WHERE r.recovery_no IS NOT NULL AND r.recovered_fen > 0
   UNION ALL
  SELECT 'outflow',
         CASE WHEN o.from_account IS NULL OR mine.account IS NOT NULL OR theirs.account IS NOT NULL
              THEN 'household' ELSE 'account' END,
         CASE WHEN o.from_account IS NULL OR mine.account IS NOT NULL THEN l.household_no
              ELSE coalesce(theirs.household_no, o.from_account) END,
         CASE WHEN back.account IS NOT NULL OR taken.account IS NOT NULL THEN o.to_account END,
         CASE WHEN back.account IS NOT NULL OR taken.account IS NOT NULL
              THEN 'household' ELSE 'account' END,
         CASE WHEN back.account IS NOT NULL THEN l.household_no
              ELSE coalesce(taken.household_no, o.to_account) END,
         o.amount_fen, o.effective_on, o.recorded_at, o.position, l.bank, l.loan_no, l.household_no,
         NULL, o.kind
    FROM facts.standing_outflow(%(as_of)s, %(known_at)s) o JOIN lent l USING (loan_id)
    LEFT JOIN own mine ON mine.household_no = l.household_no AND mine.account = o.from_account
    LEFT JOIN owner theirs ON theirs.account = o.from_account
    LEFT JOIN own back ON back.household_no = l.household_no AND back.account = o.to_account
    LEFT JOIN owner taken ON taken.account = o.to_account
   UNION ALL
  SELECT 'repaid',
         CASE WHEN mine.account IS NULL AND theirs.account IS NULL THEN 'account' ELSE 'household' END,
         CASE WHEN mine.account IS NOT NULL THEN l.household_no
              ELSE coalesce(theirs.household_no, r.payer) END,
         CASE WHEN mine.account IS NULL AND theirs.account IS NULL THEN NULL ELSE r.payer END,
         'bank', l.bank, r.principal_fen + r.interest_fen + r.penalty_fen, r.effective_on,
         r.recorded_at, r.position, l.bank, l.loan_no, l.household_no, NULL, NULL
    FROM facts.standing_repayment(%(as_of)s, %(known_at)s) r JOIN lent l USING (loan_id)
    LEFT JOIN own mine ON mine.household_no = l.household_no AND mine.account = r.payer
    LEFT JOIN owner theirs ON theirs.account = r.payer
   UNION ALL
  SELECT b.kind, 'enterprise', coalesce(d.enterprise, b.agreement_no), NULL, 'household',
         b.household_no, b.amount_fen, b.effective_on, b.recorded_at, b.position, NULL, NULL,
         b.household_no, NULL, NULL
    FROM facts.standing_benefit_paid(%(as_of)s, %(known_at)s) b
    LEFT JOIN (SELECT benefit_id, min(enterprise) AS enterprise
                 FROM facts.standing_benefit_due(%(as_of)s, %(known_at)s) GROUP BY benefit_id) d
      USING (benefit_id)
   UNION ALL
  SELECT CASE WHEN counter_account = 'payer' THEN 'paid_in' WHEN account = 'compensated'
              THEN 'compensated' ELSE 'compensation_recovered' END,
         CASE counter_account WHEN 'payer' THEN 'payer' WHEN 'fund' THEN 'risk_fund' ELSE 'bank' END,
         CASE WHEN counter_account = 'recovered' THEN bank END, NULL,
         CASE account WHEN 'fund' THEN 'risk_fund' ELSE 'bank' END,
         CASE WHEN account <> 'fund' THEN bank END,
         amount_fen, effective_on, recorded_at, position, bank, loan_no, NULL, NULL, NULL
    FROM facts.standing_risk_fund(%(as_of)s, %(known_at)s)
)
