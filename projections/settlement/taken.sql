-- What was paid for each loan and quarter, and what open batches hold for it.
-- as_of, known_at; loans: which (null: all).
WITH returned AS (
  SELECT batch_id FROM facts.batch_step
   WHERE step = 'returned' AND effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
), withdrawn AS (
  SELECT batch_id, line FROM facts.batch_step
   WHERE step = 'resolved' AND upheld AND line IS NOT NULL
     AND effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
), done AS (
  SELECT batch_id, line FROM facts.batch_line_step
   WHERE step IN ('held', 'paid', 'failed')
     AND effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
), open AS (
  SELECT l.loan_id, l.period, sum(l.amount_fen) AS reserved_fen
    FROM facts.batch_line l
    JOIN facts.batch b USING (batch_id)
   WHERE l.kind <> 'recovery' AND NOT b.estimate
     AND l.effective_on <= %(as_of)s AND l.recorded_at <= %(known_at)s
     AND (%(loans)s::uuid[] IS NULL OR l.loan_id = ANY (%(loans)s::uuid[]))
     AND NOT EXISTS (SELECT FROM returned r WHERE r.batch_id = l.batch_id)
     AND NOT EXISTS (SELECT FROM withdrawn w WHERE w.batch_id = l.batch_id AND w.line = l.line)
     AND NOT EXISTS (SELECT FROM done d WHERE d.batch_id = l.batch_id AND d.line = l.line)
   GROUP BY l.loan_id, l.period
), paid AS (
  SELECT loan_id, period, sum(paid_fen) - sum(recovered_fen) AS paid_fen
    FROM facts.subsidy
   WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
     AND (%(loans)s::uuid[] IS NULL OR loan_id = ANY (%(loans)s::uuid[]))
   GROUP BY loan_id, period
)
SELECT coalesce(p.loan_id, o.loan_id)::text AS loan_id, coalesce(p.period, o.period) AS period,
       coalesce(p.paid_fen, 0)::bigint AS paid_fen,
       coalesce(o.reserved_fen, 0)::bigint AS reserved_fen
  FROM paid p
  FULL JOIN open o ON o.loan_id = p.loan_id AND o.period = p.period
