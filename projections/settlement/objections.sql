-- 成立的异议: every objection that was upheld to a line, what was found, and whether it was lifted;
-- and every objection, to a line or to the whole batch, that was open when its batch was returned.
-- as_of, known_at; loans: which (null: all). One row an objection and line, in the order in which
-- they became known.
WITH known AS (
  SELECT s.*, p.batch_no FROM facts.batch_step s JOIN facts.batch p USING (batch_id)
   WHERE s.effective_on <= %(as_of)s AND s.recorded_at <= %(known_at)s
)
SELECT b.loan_id::text, b.period, s.batch_no, s.objection_no, s.line, s.reason, l.finding, l.first,
       l.until, l.most_fen, l.others,
       (SELECT x.reason FROM facts.subsidy_limit x
         WHERE x.lifted AND x.loan_id = b.loan_id AND x.batch_no = s.batch_no
           AND x.objection_no = s.objection_no
           AND x.effective_on <= %(as_of)s AND x.recorded_at <= %(known_at)s
         ORDER BY x.position LIMIT 1) AS lifted, NULL AS returned, s.position
  FROM known s
  JOIN facts.batch_line b ON b.batch_id = s.batch_id AND b.line = s.line
  LEFT JOIN facts.subsidy_limit l ON NOT l.lifted AND l.loan_id = b.loan_id
                                 AND l.batch_no = s.batch_no AND l.objection_no = s.objection_no
 WHERE s.step = 'resolved' AND s.upheld
   AND (%(loans)s::uuid[] IS NULL OR b.loan_id = ANY (%(loans)s::uuid[]))
 UNION ALL
SELECT b.loan_id::text, b.period, s.batch_no, s.objection_no, s.line, s.reason, NULL, NULL, NULL, NULL,
       NULL, NULL, r.reason, s.position
  FROM known s
  JOIN known r ON r.batch_id = s.batch_id AND r.step = 'returned'
  JOIN facts.batch_line b ON b.batch_id = s.batch_id AND b.line = coalesce(s.line, b.line)
 WHERE s.step = 'objected'
   AND (%(loans)s::uuid[] IS NULL OR b.loan_id = ANY (%(loans)s::uuid[]))
   AND NOT EXISTS (SELECT FROM known a WHERE a.batch_id = s.batch_id AND a.step = 'resolved'
                                         AND a.objection_no = s.objection_no)
 ORDER BY position
