-- 贴息批次: one line a batch, as of a day, as known at an instant, oldest first.
-- as_of, known_at; batch_no (null: all); bank, township: whose lines are summed (null: all).
-- late_notices: notices that were reported after they began, and count by their document.
WITH step AS (
  SELECT * FROM facts.batch_step WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
), line AS (
  SELECT l.batch_id, l.line, l.kind, l.amount_fen,
         (SELECT s.step FROM facts.batch_line_step s
           WHERE s.batch_id = l.batch_id AND s.line = l.line
             AND s.effective_on <= %(as_of)s AND s.recorded_at <= %(known_at)s
           ORDER BY s.position DESC, s.step DESC LIMIT 1) AS step,
         EXISTS (SELECT FROM step r WHERE r.batch_id = l.batch_id AND r.line = l.line
                                      AND r.step = 'resolved' AND r.upheld) AS withdrawn
    FROM facts.batch_line l
   WHERE l.effective_on <= %(as_of)s AND l.recorded_at <= %(known_at)s
     AND (%(bank)s::text IS NULL OR l.bank = %(bank)s)
     AND (%(township)s::text IS NULL OR l.township = %(township)s)
), summed AS (
  SELECT batch_id, count(*) AS lines,
         coalesce(sum(amount_fen) FILTER (WHERE kind <> 'recovery'), 0)::bigint AS amount_fen,
         coalesce(sum(amount_fen) FILTER (WHERE kind = 'recovery'), 0)::bigint AS recovery_fen,
         coalesce(sum(amount_fen) FILTER (WHERE withdrawn), 0)::bigint AS withdrawn_fen,
         coalesce(sum(amount_fen) FILTER (WHERE step = 'ordered'), 0)::bigint AS ordered_fen,
         coalesce(sum(amount_fen) FILTER (WHERE step = 'held'), 0)::bigint AS held_fen,
         coalesce(sum(amount_fen) FILTER (WHERE step = 'failed'), 0)::bigint AS failed_fen,
         coalesce(sum(amount_fen) FILTER (WHERE step = 'returned'), 0)::bigint AS returned_fen,
         coalesce(sum(amount_fen) FILTER (WHERE step = 'paid'), 0)::bigint AS paid_fen
    FROM line GROUP BY batch_id
), stage AS (
  SELECT batch_id,
         min(effective_on) FILTER (WHERE step = 'verified') AS verified_on,
         max(until_on) FILTER (WHERE step = 'noticed') AS noticed_until_on,
         min(effective_on) FILTER (WHERE step = 'approved') AS approved_on,
         min(effective_on) FILTER (WHERE step = 'returned') AS returned_on,
         count(*) FILTER (WHERE step = 'objected') - count(*) FILTER (WHERE step = 'resolved')
           AS objections_open
    FROM step GROUP BY batch_id
), late AS (
  SELECT s.batch_id, count(*) AS late_notices
    FROM step s JOIN ledger.event e ON e.position = s.of_position
   WHERE s.step = 'noticed'
     AND (s.recorded_at AT TIME ZONE 'Asia/Shanghai')::date > s.effective_on
     AND convert_from(e.state, 'UTF8')::jsonb ->> 'document' IS NOT NULL
   GROUP BY s.batch_id
)
SELECT b.batch_no, b.period, b.year, b.mode, b.bank, b.township,
       CASE WHEN b.estimate THEN 'estimated' WHEN s.returned_on IS NOT NULL THEN 'returned'
            WHEN s.approved_on IS NOT NULL THEN 'approved'
            WHEN s.verified_on IS NOT NULL THEN 'verified' ELSE 'proposed' END AS stage,
       b.effective_on AS proposed_on, s.verified_on, s.noticed_until_on, s.approved_on,
       s.returned_on, coalesce(s.objections_open, 0) AS objections_open,
       coalesce(t.late_notices, 0) AS late_notices, m.lines, m.amount_fen,
       m.recovery_fen, m.withdrawn_fen, m.held_fen, m.ordered_fen, m.failed_fen, m.returned_fen,
       m.paid_fen,
       b.seen_position, b.position
  FROM facts.batch b
  JOIN summed m USING (batch_id)
  LEFT JOIN stage s USING (batch_id)
  LEFT JOIN late t USING (batch_id)
 WHERE b.effective_on <= %(as_of)s AND b.recorded_at <= %(known_at)s
   AND (%(batch_no)s::text IS NULL OR b.batch_no = %(batch_no)s)
 ORDER BY b.position
