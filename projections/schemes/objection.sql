-- 异议: one objection to a batch, the loan it is about and what is at stake.
-- as_of, known_at; batch_no, objection_no.
SELECT s.position, s.recorded_at, l.loan_id, coalesce(l.amount_fen, b.amount_fen)
  FROM facts.standing_batch_step(%(as_of)s, %(known_at)s) s
  JOIN facts.standing_batch(%(as_of)s, %(known_at)s) b USING (batch_id)
  LEFT JOIN facts.standing_batch_line(%(as_of)s, %(known_at)s) l
         ON l.batch_id = s.batch_id AND l.line = s.line
 WHERE b.batch_no = %(batch_no)s AND s.step = 'objected' AND s.objection_no = %(objection_no)s
 ORDER BY s.position LIMIT 1
