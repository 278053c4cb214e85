-- Whom these events concern: the loan's bank and township, and when its last subsidy was recorded;
-- the household's township; the bank or the township that reported it.
-- positions: events of the log. One row an event.
WITH event AS MATERIALIZED (
  SELECT position, originator_id, organisation FROM ledger.event
   WHERE position = ANY (%(positions)s::bigint[])
), loan AS MATERIALIZED (
  SELECT DISTINCT ON (loan_id) loan_id, bank, household_id FROM facts.loan
   ORDER BY loan_id, position DESC
), home AS MATERIALIZED (
  SELECT DISTINCT ON (household_id) household_id, township FROM facts.household
   ORDER BY household_id, position DESC
), paid AS MATERIALIZED (
  SELECT loan_id, max(recorded_at) AS recorded_at FROM facts.subsidy WHERE paid_fen > 0
   GROUP BY loan_id
)
SELECT e.position, l.bank, h.township, o.role, e.organisation, p.recorded_at
  FROM event e
  LEFT JOIN loan l ON l.loan_id = e.originator_id
  LEFT JOIN home h ON h.household_id = coalesce(l.household_id, e.originator_id)
  LEFT JOIN paid p ON p.loan_id = e.originator_id
  LEFT JOIN ledger.organisation o ON o.code = e.organisation
