-- 凭证号: the subsidy payments that one voucher paid, in the order of the log.
-- as_of, known_at; voucher; bank, township: whose loans (null: all); {guaranteed}: of the guarantor's
-- loans (see facts/reading.py); most.
SELECT p.payment_no
  FROM facts.subsidy p
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
  LEFT JOIN facts.standing_household(%(as_of)s, %(known_at)s) h USING (household_id)
 WHERE p.voucher = %(voucher)s AND p.recovery_no IS NULL
   AND p.effective_on <= %(as_of)s AND p.recorded_at <= %(known_at)s
   AND (%(bank)s::text IS NULL OR l.bank = %(bank)s)
   AND (%(township)s::text IS NULL OR h.township = %(township)s)
   AND {guaranteed}
 ORDER BY p.of_position LIMIT %(most)s
