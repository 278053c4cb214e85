-- 当时分段: the ranges of days that each payment of one loan and quarter was calculated on.
-- as_of, known_at; loan_id, period.
SELECT payment_no, "first", "until", principal_fen, rate_bp, share_bp
  FROM facts.subsidised
 WHERE loan_id = %(loan_id)s::uuid AND period = %(period)s
   AND effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
 ORDER BY payment_no, "first"
