WITH sent AS (
  SELECT o.to_account, o.kind, l.household_id, l.loan_id, l.principal_fen, o.amount_fen,
         o.of_position, o.recorded_at,
         sum(o.amount_fen) OVER (PARTITION BY o.to_account, l.loan_id
                                 ORDER BY o.recorded_at, o.of_position) AS fen
    FROM facts.standing_outflow(%(as_of)s, %(known_at)s) o
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
   WHERE o.effective_on BETWEEN l.effective_on AND l.effective_on + %(days)s
), reached AS (
  SELECT to_account, household_id, min(recorded_at) AS recorded_at
    FROM sent s
   WHERE fen * 10000 >= principal_fen * %(share)s::bigint
     AND NOT EXISTS (SELECT FROM facts.standing_loan(%(as_of)s, %(known_at)s) own
                      WHERE own.household_id = s.household_id AND own.payee = s.to_account)
   GROUP BY to_account, household_id
), no_shop AS (
  -- since when money of these households is told as sent to anything but a merchant
  SELECT to_account, min(greatest(s.recorded_at, r.recorded_at)) AS recorded_at
    FROM sent s
    JOIN reached r USING (to_account, household_id)
   WHERE s.kind <> 'merchant'
   GROUP BY to_account
), counted AS (
  SELECT to_account, array_agg(recorded_at ORDER BY recorded_at) AS instants
    FROM reached
   GROUP BY to_account
), pooled AS (
  SELECT to_account, instants[%(merchant_households)s] AS recorded_at
    FROM counted
   UNION ALL
  SELECT to_account, greatest(instants[%(households)s], n.recorded_at)
    FROM counted
    JOIN no_shop n USING (to_account)
   WHERE cardinality(instants) >= %(households)s
), known AS (
  SELECT to_account, min(recorded_at) AS recorded_at
    FROM pooled
   WHERE recorded_at IS NOT NULL
   GROUP BY to_account
)
SELECT k.to_account AS subject, sum(s.amount_fen) AS amount_fen,
       array_agg(s.of_position) FILTER (WHERE s.recorded_at <= k.recorded_at) AS positions,
       coalesce(array_agg(s.of_position) FILTER (WHERE s.recorded_at > k.recorded_at), '{}')
         AS context
  FROM known k
  JOIN sent s USING (to_account)
  JOIN reached r USING (to_account, household_id)
 GROUP BY k.to_account
