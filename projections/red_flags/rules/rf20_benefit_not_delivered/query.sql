WITH due AS (
  SELECT benefit_id, agreement_no, household_no, due_on, sum(due_fen) AS fen,
         min(of_position) AS of_position,
         sum(sum(due_fen)) OVER (PARTITION BY benefit_id, household_no
                               ORDER BY due_on) AS so_far_fen
    FROM facts.standing_benefit_due(%(as_of)s, %(known_at)s)
   GROUP BY benefit_id, agreement_no, household_no, due_on
)
SELECT d.agreement_no || ' ' || d.household_no || ' ' || d.due_on AS subject,
       least(d.fen, d.so_far_fen - p.in_time_fen) AS amount_fen, ARRAY[d.of_position] AS positions,
       d.due_on + %(days)s + 1 AS since, p.later AS context
  FROM due d
 CROSS JOIN LATERAL (
    SELECT coalesce(sum(b.amount_fen) FILTER (WHERE b.effective_on <= d.due_on + %(days)s), 0)
             AS in_time_fen,
           coalesce(array_agg(b.of_position)
                    FILTER (WHERE b.effective_on > d.due_on + %(days)s), '{}')
             AS later
      FROM facts.standing_benefit_paid(%(as_of)s, %(known_at)s) b
     WHERE b.benefit_id = d.benefit_id AND b.household_no = d.household_no) p
 WHERE d.due_on + %(days)s < %(today)s AND d.so_far_fen > p.in_time_fen
