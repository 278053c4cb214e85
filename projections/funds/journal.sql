-- 日记账: every amount that moved, account and counter-account, as known at an instant.
-- as_of, known_at; account: of this account alone, which is none of a loan's (null: of all).
-- Accounts of loans end in bank and loan number; cash in the account's name.
SELECT p.effective_on, p.position, p.of_position,
       p.account || ':' || n.bank || ':' || n.loan_no AS account,
       p.counter_account || ':' || n.bank AS counter_account, p.amount_fen
  FROM facts.posting p
  JOIN LATERAL (SELECT l.bank, l.loan_no FROM facts.loan l WHERE l.loan_id = p.loan_id LIMIT 1) n
    ON true
 WHERE p.effective_on <= %(as_of)s AND p.recorded_at <= %(known_at)s
   AND %(account)s::text IS NULL
 UNION ALL
SELECT f.effective_on, f.position, f.of_position, 'budget:' || f.account || ':' || f.year,
       'budget:' || f.counter_account || ':' || f.year, f.amount_fen
  FROM facts.fund f
 WHERE f.effective_on <= %(as_of)s AND f.recorded_at <= %(known_at)s
   AND (%(account)s::text IS NULL OR %(account)s IN ('budget:' || f.account || ':' || f.year,
                                                     'budget:' || f.counter_account || ':' || f.year))
 UNION ALL
SELECT t.effective_on, t.position, t.of_position, 'cash:' || t.payee, 'cash:' || t.payer,
       t.amount_fen
  FROM facts.transfer t
 WHERE t.effective_on <= %(as_of)s AND t.recorded_at <= %(known_at)s
   AND (%(account)s::text IS NULL OR %(account)s IN ('cash:' || t.payee, 'cash:' || t.payer))
 UNION ALL
SELECT r.effective_on, r.position, r.of_position, 'riskfund:' || r.account,
       'riskfund:' || r.counter_account, r.amount_fen
  FROM facts.risk_fund r
 WHERE r.effective_on <= %(as_of)s AND r.recorded_at <= %(known_at)s
   AND (%(account)s::text IS NULL
        OR %(account)s IN ('riskfund:' || r.account, 'riskfund:' || r.counter_account))
 UNION ALL
SELECT b.effective_on, b.position, b.of_position, 'benefit:' || b.household_no,
       'enterprise:' || b.agreement_no, b.amount_fen
  FROM facts.benefit_paid b
 WHERE b.effective_on <= %(as_of)s AND b.recorded_at <= %(known_at)s
   AND (%(account)s::text IS NULL
        OR %(account)s IN ('benefit:' || b.household_no, 'enterprise:' || b.agreement_no))
 ORDER BY 1, 2, 4
