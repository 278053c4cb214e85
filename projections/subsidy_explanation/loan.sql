-- 借据: the loans of one number, a line a bank, whether or not anything of them is lent as of the day.
-- as_of, known_at; loan_no; bank, township: whose (null: all); {guaranteed}: of the guarantor's loans
-- (see facts/reading.py). The loan as it is lent at both dates, else as it was reported last.
SELECT l.*
  FROM (SELECT DISTINCT ON (l.bank)
               l.loan_id::text, l.household_id::text, l.bank, l.loan_no, l.household_no,
               coalesce(h.township, '') AS township, coalesce(h.village, '') AS village,
               l.effective_on AS disbursed_on, l.contract_on, l.due_on, l.annual_rate_bp,
               l.principal_fen,
               b.of_position IS NULL AND l.effective_on <= %(as_of)s AS lent,
               b.of_position IS NOT NULL AS reversed
          FROM facts.loan l
          LEFT JOIN facts.loan b ON b.sign = -1 AND b.of_position = l.of_position
                                AND b.recorded_at <= %(known_at)s
          LEFT JOIN facts.standing_household(%(as_of)s, %(known_at)s) h
                    ON h.household_id = l.household_id
         WHERE l.sign = 1 AND l.recorded_at <= %(known_at)s AND l.loan_no = %(loan_no)s
           AND (%(bank)s::text IS NULL OR l.bank = %(bank)s)
         ORDER BY l.bank, lent DESC, reversed, l.of_position DESC) l
 WHERE (%(township)s::text IS NULL OR l.township = %(township)s)
   AND {guaranteed}
 ORDER BY l.bank
