WITH sent AS MATERIALIZED (
  SELECT o.to_account, o.kind, o.amount_fen, l.loan_id, l.household_id, l.principal_fen
    FROM facts.standing_outflow(%(as_of)s, %(known_at)s) o
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
), paid_to AS MATERIALIZED (
  SELECT DISTINCT payee, household_id
    FROM facts.standing_loan(%(as_of)s, %(known_at)s)
), pool AS (
  -- accounts where most of a loan of several other households ended
  SELECT to_account
    FROM (SELECT to_account, household_id
            FROM sent
           GROUP BY to_account, household_id, loan_id, principal_fen
          HAVING sum(amount_fen) * 10000 >= principal_fen * %(share)s::bigint
          EXCEPT
          SELECT payee, household_id
            FROM paid_to) p
   GROUP BY to_account
  HAVING count(*) >= %(households)s - 1
), sole AS (
  SELECT payee
    FROM paid_to
   GROUP BY payee
  HAVING count(*) = 1
), strange AS (
  SELECT to_account
    FROM sent
   WHERE kind IN ('firm', 'village', 'bank', 'platform')
   UNION
  -- a merchant's, but for an account that one household alone is paid to: who borrows may also sell
  SELECT to_account
    FROM sent
   WHERE kind = 'merchant' AND (to_account NOT IN (SELECT payee FROM sole)
                                OR to_account IN (SELECT to_account FROM pool))
), own AS (
  SELECT household_id, payee AS account
    FROM facts.standing_loan(%(as_of)s, %(known_at)s)
   UNION
  SELECT l.household_id, r.payer
    FROM facts.standing_repayment(%(as_of)s, %(known_at)s) r
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
)
SELECT t.voucher AS subject, t.amount_fen, ARRAY[t.of_position] AS positions
  FROM facts.standing_transfer(%(as_of)s, %(known_at)s) t
 WHERE t.payer = ANY (%(accounts)s)
   AND NOT EXISTS (SELECT FROM ledger.organisation o
                    WHERE o.role = 'bank' AND t.payee IN (o.code, o.name))
 UNION ALL
SELECT s.payment_no, s.paid_fen, ARRAY[s.of_position]
  FROM facts.standing_subsidy(%(as_of)s, %(known_at)s) s
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
 WHERE s.recovery_no IS NULL AND s.payee IS NOT NULL AND s.payee <> l.bank
   AND NOT EXISTS (SELECT FROM facts.subsidy b
                    WHERE b.payment_no = s.payment_no AND b.paid_fen < 0
                      AND b.effective_on <= %(as_of)s AND b.recorded_at <= %(known_at)s)
   AND NOT EXISTS (
         SELECT FROM own
          WHERE own.household_id = l.household_id AND own.account = s.payee
            AND NOT EXISTS (SELECT FROM strange x WHERE x.to_account = own.account))
