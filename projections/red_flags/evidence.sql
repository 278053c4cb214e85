-- Whom each event of a finding concerns, and what it was.
-- positions: events of the log. One row an event: its topic, the loan as bank/number, the household,
-- the batch, if it is of one.
SELECT e.position, e.topic,
       (SELECT l.bank || '/' || l.loan_no FROM facts.loan l
         WHERE l.loan_id = e.originator_id LIMIT 1) AS loan,
       coalesce((SELECT l.household_no FROM facts.loan l
                  WHERE l.loan_id = e.originator_id LIMIT 1),
                (SELECT h.household_no FROM facts.household h
                  WHERE h.household_id = e.originator_id LIMIT 1)) AS household_no,
       (SELECT b.batch_no FROM facts.batch b WHERE b.batch_id = e.originator_id LIMIT 1) AS batch_no,
       (SELECT r.bank || ' ' || r.period FROM facts.scale_report r
         WHERE r.of_position = e.position LIMIT 1) AS report,
       (SELECT t.voucher FROM facts.transfer t WHERE t.of_position = e.position LIMIT 1) AS voucher
  FROM ledger.event e
 WHERE e.position = ANY (%(positions)s::bigint[])
