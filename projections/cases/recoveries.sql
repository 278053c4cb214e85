-- 追回: each recovery counted in a case, as of a day, as known at an instant.
-- as_of, known_at; case_id (null: all). A repayment that was taken back since does not stand.
SELECT c.case_no, r.recovery AS event_id, r.recovered_by AS event, l.bank, l.loan_no, r.payment_no,
       r.amount_fen,
       NOT EXISTS (
         SELECT FROM facts.repayment b
          WHERE b.sign = -1 AND b.recorded_at <= %(known_at)s AND b.of_position = e.position
       ) AS standing, r.position
  FROM facts.standing_case_recovery(%(as_of)s, %(known_at)s) r
  JOIN facts.standing_case_file(%(as_of)s, %(known_at)s) c USING (case_id)
  JOIN facts.standing_case_loan(%(as_of)s, %(known_at)s) l USING (case_id, loan_id)
  JOIN ledger.event e ON e.originator_id = r.loan_id
   AND e.originator_version = split_part(r.recovery, '.', 2)::int
 WHERE %(case_id)s::uuid IS NULL OR r.case_id = %(case_id)s
 ORDER BY r.position
