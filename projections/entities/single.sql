-- pseudonym: all appearances of this one, each with its event, in the order of the log.
SELECT a.position, a.role, a.household_no, a.bank, a.loan_no, a.in_fen, a.out_fen, a.effective_on,
       a.recorded_at, e.originator_id || '.' || e.originator_version AS event_id
  FROM appearance a JOIN ledger.event e USING (position)
 WHERE a.pseudonym = %(pseudonym)s
 ORDER BY a.position, a.role
