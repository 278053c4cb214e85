-- The loans of all payments `p` as `l`, standing as of the day or as reported last, and their
-- households as `h`. as_of, known_at; one_loan: the number of the one asked about (null: all).
JOIN (SELECT * FROM facts.standing_loan(%(as_of)s, %(known_at)s)
       UNION ALL
      SELECT * FROM (
        SELECT DISTINCT ON (l.loan_id) l.*
          FROM facts.loan l
          JOIN (SELECT DISTINCT loan_id FROM facts.loan
                 WHERE (sign = -1 OR effective_on > %(as_of)s)
                   AND (%(one_loan)s::text IS NULL OR loan_no = %(one_loan)s)) moved USING (loan_id)
         WHERE l.sign = 1 AND l.recorded_at <= %(known_at)s
           AND NOT EXISTS (SELECT FROM facts.standing_loan(%(as_of)s, %(known_at)s) a
                            WHERE a.loan_id = l.loan_id)
         ORDER BY l.loan_id, l.of_position DESC) gone) l USING (loan_id)
LEFT JOIN facts.standing_household(%(as_of)s, %(known_at)s) h USING (household_id)
