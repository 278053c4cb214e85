-- 贴息限定: what upheld objections leave of a loan's quarters, one row a loan and quarter.
-- as_of, known_at; quarters: [{"name", "first", "until"}]; loans: which (null: all). The least of what they allow; a limit that
-- was lifted counts no more.
SELECT l.loan_id::text, q.name AS period,
       min(CASE WHEN q.name = l.period THEN l.most_fen ELSE 0 END)::bigint AS most_fen
  FROM facts.subsidy_limit l
  JOIN jsonb_to_recordset(%(quarters)s::jsonb) AS q (name text, "first" date)
    ON q.name = l.period OR l.others = 'all' OR (l.others = 'later' AND q."first" >= l.until)
 WHERE NOT l.lifted AND (%(loans)s::uuid[] IS NULL OR l.loan_id = ANY (%(loans)s::uuid[]))
   AND l.effective_on <= %(as_of)s AND l.recorded_at <= %(known_at)s
   AND NOT EXISTS (
         SELECT FROM facts.subsidy_limit x
          WHERE x.lifted AND x.loan_id = l.loan_id AND x.batch_no = l.batch_no
            AND x.objection_no = l.objection_no
            AND x.effective_on <= %(as_of)s AND x.recorded_at <= %(known_at)s)
 GROUP BY l.loan_id, q.name
