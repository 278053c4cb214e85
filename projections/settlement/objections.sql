-- 成立的异议: every objection that was upheld to a line, what was found, and whether it was lifted.
-- as_of, known_at. One row an objection, in the order in which they became known.
SELECT b.loan_id::text, b.period, p.batch_no, s.objection_no, s.line, s.reason, l.finding, l.first,
       l.until, l.most_fen, l.others,
       (SELECT x.reason FROM facts.subsidy_limit x
         WHERE x.lifted AND x.loan_id = b.loan_id AND x.batch_no = p.batch_no
           AND x.objection_no = s.objection_no
           AND x.effective_on <= %(as_of)s AND x.recorded_at <= %(known_at)s
         ORDER BY x.position LIMIT 1) AS lifted
  FROM facts.batch_step s
  JOIN facts.batch p USING (batch_id)
  JOIN facts.batch_line b ON b.batch_id = s.batch_id AND b.line = s.line
  LEFT JOIN facts.subsidy_limit l ON NOT l.lifted AND l.loan_id = b.loan_id
                                 AND l.batch_no = p.batch_no AND l.objection_no = s.objection_no
 WHERE s.step = 'resolved' AND s.upheld
   AND s.effective_on <= %(as_of)s AND s.recorded_at <= %(known_at)s
 ORDER BY s.position
