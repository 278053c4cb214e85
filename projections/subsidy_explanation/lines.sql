-- 批次明细: the lines of all batches for one loan and quarter, and what became of each, oldest first.
-- as_of, known_at; loan_id, period.
SELECT b.batch_no, l.line, l.kind, l.amount_fen,
       CASE WHEN b.estimate THEN 'estimated'
            WHEN EXISTS (SELECT FROM facts.batch_step r
                          WHERE r.batch_id = l.batch_id AND r.step = 'returned'
                            AND r.effective_on <= %(as_of)s AND r.recorded_at <= %(known_at)s)
            THEN 'returned'
            WHEN EXISTS (SELECT FROM facts.batch_step r
                          WHERE r.batch_id = l.batch_id AND r.line = l.line
                            AND r.step = 'resolved' AND r.upheld
                            AND r.effective_on <= %(as_of)s AND r.recorded_at <= %(known_at)s)
            THEN 'withdrawn' ELSE coalesce(done.step, 'listed') END AS state,
       done.reason
  FROM facts.batch_line l
  JOIN facts.batch b USING (batch_id)
  LEFT JOIN LATERAL (
    SELECT s.step, s.reason FROM facts.batch_line_step s
     WHERE s.batch_id = l.batch_id AND s.line = l.line
       AND s.effective_on <= %(as_of)s AND s.recorded_at <= %(known_at)s
     ORDER BY s.position DESC, s.step DESC LIMIT 1) done ON true
 WHERE l.loan_id = %(loan_id)s::uuid AND l.period = %(period)s
   AND l.effective_on <= %(as_of)s AND l.recorded_at <= %(known_at)s
 ORDER BY l.position, l.line
