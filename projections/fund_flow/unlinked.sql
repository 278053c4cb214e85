-- Payments that hang on nothing (未挂接): one row a payment and what is missing of it.
-- as_of, known_at; offices: names of the offices' accounts.
WITH lent AS (
  SELECT * FROM facts.standing_loan(%(as_of)s, %(known_at)s)
), flow AS (
  SELECT o.*, l.bank, l.loan_no, l.household_no
    FROM facts.standing_outflow(%(as_of)s, %(known_at)s) o JOIN lent l USING (loan_id)
), repaid AS (
  SELECT r.*, l.bank, l.loan_no, l.household_no
    FROM facts.standing_repayment(%(as_of)s, %(known_at)s) r JOIN lent l USING (loan_id)
), paid AS (
  SELECT s.*, l.bank, l.loan_no, l.household_no
    FROM facts.standing_subsidy(%(as_of)s, %(known_at)s) s JOIN lent l USING (loan_id)
   WHERE s.recovery_no IS NULL
     AND NOT EXISTS (SELECT FROM facts.standing_subsidy(%(as_of)s, %(known_at)s) b
                      WHERE b.payment_no = s.payment_no AND b.paid_fen < 0) -- 退票
), lender AS (
  SELECT DISTINCT bank FROM lent
), seen AS ( -- accounts that loans and what the bank saw of them show with a household
  SELECT household_no, payee AS account FROM lent UNION
  SELECT household_no, to_account FROM flow UNION
  SELECT household_no, from_account FROM flow
), allocated AS MATERIALIZED (
  SELECT year, effective_on, amount_fen FROM facts.standing_fund(%(as_of)s, %(known_at)s)
   WHERE counter_account = 'treasury'
), drawn AS ( -- what each payment and those before it took of the year that bears its quarter
  SELECT p.*, sum(p.paid_fen) OVER (PARTITION BY left(p.period, 4)
                                    ORDER BY p.effective_on, p.position)::bigint AS so_far_fen,
         (SELECT coalesce(sum(a.amount_fen), 0)::bigint FROM allocated a
           WHERE a.year = left(p.period, 4)::int AND a.effective_on <= p.effective_on) AS there_fen
    FROM paid p
), unlinked AS (
  SELECT 'repayment_payer_unknown' AS category, r.position, r.effective_on, r.bank, r.loan_no,
         r.household_no, r.payer AS pseudonym, NULL::text AS batch_no, NULL::text AS payee,
         r.principal_fen + r.interest_fen + r.penalty_fen AS amount_fen,
         NULL::bigint AS observed_fen, NULL::int AS share_bp
    FROM repaid r
   WHERE NOT EXISTS (SELECT FROM seen s
                      WHERE s.household_no = r.household_no AND s.account = r.payer)
     AND NOT EXISTS (SELECT FROM paid p
                      WHERE p.household_no = r.household_no AND p.payee = r.payer)
   UNION ALL
  SELECT 'subsidy_payee_unknown', p.position, p.effective_on, p.bank, p.loan_no, p.household_no,
         p.payee, p.batch_no, NULL, p.paid_fen, NULL, NULL
    FROM paid p
   WHERE p.payee IS NOT NULL AND NOT EXISTS (SELECT FROM lender b WHERE b.bank = p.payee)
     AND NOT EXISTS (SELECT FROM seen s
                      WHERE s.household_no = p.household_no AND s.account = p.payee)
     AND NOT EXISTS (SELECT FROM repaid r
                      WHERE r.household_no = p.household_no AND r.payer = p.payee)
   UNION ALL
  SELECT 'subsidy_without_batch', position, effective_on, bank, loan_no, household_no, NULL,
         NULL, NULL, paid_fen, NULL, NULL
    FROM paid WHERE batch_no IS NULL
   UNION ALL -- observed_fen: what had been allocated by then
  SELECT 'subsidy_without_money', position, effective_on, bank, loan_no, household_no, NULL,
         batch_no, NULL, paid_fen, there_fen, NULL
    FROM drawn WHERE so_far_fen > there_fen
   UNION ALL
  SELECT 'outflow_receiver_unknown', position, effective_on, bank, loan_no, household_no,
         to_account, NULL, NULL, amount_fen, NULL, NULL
    FROM flow WHERE kind = 'unknown'
   UNION ALL
  SELECT 'transfer_elsewhere', t.position, t.effective_on, NULL, NULL, NULL, NULL, NULL, t.payee,
         t.amount_fen, NULL, NULL
    FROM facts.standing_transfer(%(as_of)s, %(known_at)s) t
   WHERE t.payee <> ALL (%(offices)s) AND NOT EXISTS (SELECT FROM lender b WHERE b.bank = t.payee)
   UNION ALL -- amount_fen: what of the money credited nobody saw going anywhere
  SELECT 'loan_flow_unobserved', l.position, l.effective_on, l.bank, l.loan_no, l.household_no,
         NULL, NULL, NULL, l.credited_fen - coalesce(f.fen, 0), coalesce(f.fen, 0),
         (coalesce(f.fen, 0) * 10000 / l.credited_fen)::int
    FROM lent l
    LEFT JOIN (SELECT o.loan_id, sum(o.amount_fen)::bigint AS fen FROM flow o JOIN lent b USING (loan_id)
                WHERE o.from_account IS NULL OR o.from_account = b.payee
                GROUP BY o.loan_id) f USING (loan_id)
   WHERE coalesce(f.fen, 0) < l.credited_fen
)
