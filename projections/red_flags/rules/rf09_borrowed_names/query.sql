WITH lent AS MATERIALIZED (
  SELECT * FROM facts.standing_loan(%(as_of)s, %(known_at)s)
), home AS (
  SELECT payee, household_id, min(of_position) AS of_position
    FROM lent
   GROUP BY payee, household_id
), shared AS (
  SELECT payee, (array_agg(of_position ORDER BY of_position))[2] AS second
    FROM home
   GROUP BY payee
  HAVING count(*) > 1
), sent AS MATERIALIZED (
  -- to accounts that loans are paid to
  SELECT o.to_account, o.kind, o.of_position, o.recorded_at, o.amount_fen, l.loan_id,
         l.household_id, l.principal_fen
    FROM facts.standing_outflow(%(as_of)s, %(known_at)s) o
    JOIN lent l USING (loan_id)
   WHERE EXISTS (SELECT FROM home h WHERE h.payee = o.to_account)
), shop AS (
  SELECT to_account, min(of_position) AS of_position, min(recorded_at) AS recorded_at
    FROM sent
   WHERE kind = 'merchant'
   GROUP BY to_account
), pooled AS (
  -- the other households that sent most of a loan there, each from when that was known
  SELECT DISTINCT ON (to_account, household_id) to_account, household_id, of_position, recorded_at
    FROM (SELECT s.*, sum(amount_fen) OVER (PARTITION BY to_account, loan_id
                                            ORDER BY recorded_at, of_position) AS fen
            FROM sent s) s
   WHERE fen * 10000 >= principal_fen * %(share)s::bigint
     AND NOT EXISTS (SELECT FROM home h
                      WHERE h.payee = s.to_account AND h.household_id = s.household_id)
   ORDER BY to_account, household_id, recorded_at, of_position
), pool AS (
  SELECT p.to_account, max(p.recorded_at) AS recorded_at, array_agg(p.of_position) AS positions
    FROM (SELECT *, row_number() OVER (PARTITION BY to_account
                                    ORDER BY recorded_at, of_position) AS nth
            FROM pooled) p
   WHERE nth < %(households)s
   GROUP BY p.to_account
  HAVING count(*) = %(households)s - 1
), sign AS (
  -- accounts that are known as somebody else's: a firm's, a village's, a bank's, a platform's; a
  -- merchant's, if several households are paid to it, or their loans end there
  SELECT to_account, min(recorded_at) AS recorded_at, ARRAY[min(of_position)] AS positions
    FROM sent
   WHERE kind IN ('firm', 'village', 'bank', 'platform')
   GROUP BY to_account
   UNION ALL
  SELECT m.to_account, greatest(m.recorded_at, l.recorded_at), ARRAY[m.of_position, l.of_position]
    FROM shop m
    JOIN shared s ON s.payee = m.to_account
    JOIN lent l ON l.of_position = s.second
   UNION ALL
  SELECT m.to_account, greatest(m.recorded_at, p.recorded_at), m.of_position || p.positions
    FROM shop m
    JOIN pool p USING (to_account)
), other AS (
  SELECT DISTINCT ON (to_account) *
    FROM sign
   ORDER BY to_account, recorded_at, positions
), settled AS (
  SELECT loan_id, max(effective_on) AS on_day
    FROM facts.standing_settlement(%(as_of)s, %(known_at)s)
   GROUP BY loan_id
), unmet AS (
  -- checked in time, and in none of these checks was the borrower met
  SELECT l.loan_id, d.due_on, min(k.recorded_at) AS recorded_at,
         array_agg(k.of_position ORDER BY k.recorded_at, k.of_position) AS checks
    FROM lent l
    JOIN facts.standing_usage_check(%(as_of)s, %(known_at)s) k USING (loan_id)
   CROSS JOIN LATERAL (
      SELECT (l.effective_on + make_interval(months => %(months)s))::date AS due_on) d
   WHERE k.effective_on BETWEEN l.effective_on AND d.due_on AND d.due_on < %(today)s
   GROUP BY l.loan_id, d.due_on
  HAVING NOT bool_or(k.borrower_met)
), of_loan AS (
  SELECT l.bank || '/' || l.loan_no AS subject, l.principal_fen,
         ARRAY(SELECT l.of_position UNION SELECT unnest(o.positions)) AS positions,
         '{}'::bigint[] AS context,
         NULL::date AS since, greatest(l.recorded_at, o.recorded_at) AS known
    FROM lent l
    JOIN other o ON o.to_account = l.payee
   UNION ALL
  SELECT l.bank || '/' || l.loan_no, l.principal_fen, ARRAY[l.of_position, u.checks[1]],
         u.checks[2:], u.due_on + 1,
         greatest(l.recorded_at, u.recorded_at,
                  (u.due_on + 1)::timestamp AT TIME ZONE 'Asia/Shanghai')
    FROM unmet u
    JOIN lent l USING (loan_id)
    LEFT JOIN settled s USING (loan_id)
   WHERE s.on_day IS NULL OR s.on_day > u.due_on
)
SELECT s.payee AS subject, sum(l.principal_fen) AS amount_fen,
       array_agg(l.of_position) FILTER (WHERE l.of_position <= s.second) AS positions,
       coalesce(array_agg(l.of_position) FILTER (WHERE l.of_position > s.second), '{}') AS context,
       NULL::date AS since
  FROM shared s
  JOIN lent l USING (payee)
 GROUP BY s.payee
 UNION ALL
-- a loan with both signs is one finding: the sign known first, the other in the context
SELECT f.subject, f.principal_fen, f.positions, f.context || coalesce(b.positions, '{}'), f.since
  FROM (SELECT DISTINCT ON (subject) * FROM of_loan ORDER BY subject, known, since NULLS FIRST) f
  LEFT JOIN of_loan b ON b.subject = f.subject AND b.positions <> f.positions
