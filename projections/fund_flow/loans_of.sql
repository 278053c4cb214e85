-- The loans of which something may have moved at some nodes: at least those; from every row of theirs,
-- reversed or not, so that the indexes find them.
-- as_of, known_at; accounts, households, batches: names of the nodes; returned_to: names of batches
-- of which only what came back to them is wanted.
WITH lent AS (
  SELECT loan_id, household_no, payee FROM facts.standing_loan(%(as_of)s, %(known_at)s)
), account AS ( -- a household's money is seen at its accounts
  SELECT unnest(%(accounts)s::text[]) AS name
   UNION
  SELECT payee FROM lent WHERE household_no = ANY (%(households)s)
), written AS (
  SELECT name FROM account
   UNION
  SELECT s.written FROM facts.same_account s JOIN account a ON a.name = s.normal
)
SELECT loan_id FROM lent
 WHERE household_no = ANY (%(households)s) OR payee IN (SELECT name FROM account)
 UNION
SELECT r.loan_id FROM written w JOIN facts.repayment r ON r.payer = w.name
 UNION
SELECT o.loan_id FROM written w JOIN facts.outflow o ON o.to_account = w.name
 UNION
SELECT o.loan_id FROM written w JOIN facts.outflow o ON o.from_account = w.name
 UNION
SELECT s.loan_id FROM written w JOIN facts.subsidy s ON s.payee = w.name
 UNION
SELECT loan_id FROM facts.subsidy WHERE batch_no = ANY (%(batches)s)
 UNION
SELECT s.loan_id
  FROM facts.subsidy s
  JOIN facts.subsidy r ON r.payment_no = s.payment_no AND r.loan_id = s.loan_id AND r.paid_fen < 0
 WHERE s.batch_no = ANY (%(returned_to)s)
