WITH RECURSIVE flow AS MATERIALIZED (
  SELECT o.of_position, o.effective_on AS on_day, o.amount_fen, o.from_account, o.to_account,
         o.kind, l.loan_id, l.bank, l.household_id, l.payee, l.principal_fen
    FROM facts.standing_outflow(%(as_of)s, %(known_at)s) o
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
   WHERE o.amount_fen > 0
), onward AS MATERIALIZED (
  SELECT * FROM flow
   WHERE from_account IS NOT NULL
), path AS (
  SELECT loan_id, bank, household_id, payee, amount_fen, on_day AS left_on, on_day, to_account,
         kind, ARRAY[to_account] AS accounts, ARRAY[of_position] AS positions
    FROM flow
   WHERE (from_account IS NULL OR from_account = payee) AND to_account <> payee
     AND amount_fen * 10000 >= principal_fen * %(part)s::bigint
   UNION ALL
  SELECT p.loan_id, p.bank, p.household_id, p.payee, p.amount_fen, p.left_on, o.on_day,
         o.to_account, o.kind, p.accounts || o.to_account, p.positions || o.of_position
    FROM path p
    JOIN onward o ON o.from_account = p.to_account AND o.bank = p.bank
     AND o.on_day BETWEEN p.on_day AND p.left_on + %(days)s
     AND o.amount_fen * 10000 >= p.amount_fen * %(share)s::bigint
     AND o.amount_fen * %(share)s::bigint <= p.amount_fen * 10000
   WHERE p.kind <> 'bank' AND cardinality(p.accounts) <= %(accounts)s
     AND NOT o.to_account = ANY (p.accounts) AND o.to_account <> p.payee
), circle AS (
  -- back at the bank: the last account is the bank's own
  SELECT loan_id, positions
    FROM path
   WHERE kind = 'bank' AND cardinality(accounts) > 1
   UNION ALL
  -- with another borrower of the lender: the last account is his
  SELECT p.loan_id, array_append(p.positions, b.of_position)
    FROM path p
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) b
      ON b.payee = p.to_account AND b.bank = p.bank AND b.household_id <> p.household_id
     AND b.effective_on <= p.on_day AND p.kind <> 'merchant'
   UNION ALL
  -- back at the bank as the repayment of a loan, out of an account that is not the borrower's
  SELECT p.loan_id, array_append(p.positions, r.of_position)
    FROM path p
    JOIN facts.standing_repayment(%(as_of)s, %(known_at)s) r ON r.payer = p.to_account
     AND r.effective_on BETWEEN p.on_day AND p.left_on + %(days)s
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) b ON b.loan_id = r.loan_id AND b.bank = p.bank
   CROSS JOIN LATERAL (SELECT r.principal_fen + r.interest_fen + r.penalty_fen AS fen) back
   WHERE p.kind <> 'bank' AND p.to_account <> p.payee AND cardinality(p.accounts) <= %(accounts)s
     AND back.fen * 10000 >= p.amount_fen * %(share)s::bigint
     AND back.fen * %(share)s::bigint <= p.amount_fen * 10000
     -- a merchant who repays his own loan, out of the card that he alone is paid to
     AND NOT (p.kind = 'merchant'
              AND EXISTS (SELECT FROM facts.standing_loan(%(as_of)s, %(known_at)s) own
                           WHERE own.payee = r.payer AND own.household_id = b.household_id)
              AND NOT EXISTS (SELECT FROM facts.standing_loan(%(as_of)s, %(known_at)s) alien
                               WHERE alien.payee = r.payer
                                AND alien.household_id <> b.household_id))
), first AS (
  SELECT DISTINCT ON (loan_id) loan_id, positions
    FROM circle
   ORDER BY loan_id, (SELECT max(n) FROM unnest(positions) n), positions
)
SELECT l.bank || '/' || l.loan_no AS subject,
       (SELECT sum(f.amount_fen)
          FROM flow f
         WHERE f.of_position IN (SELECT c.positions[1] FROM circle c WHERE c.loan_id = l.loan_id))
         AS amount_fen,
       i.positions,
       ARRAY(SELECT DISTINCT n
               FROM circle c, unnest(c.positions) n
              WHERE c.loan_id = l.loan_id AND NOT n = ANY (i.positions)) AS context
  FROM first i
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
