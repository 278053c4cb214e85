WITH gone AS MATERIALIZED (
  SELECT m.person, m.effective_on, m.of_position, m.code, lower(m.reason) AS said,
         regexp_replace(lower(m.reason), '[\s　.,;:·、，。；：]', '', 'g') AS tight,
         coalesce((SELECT string_agg(j.relation, ' ')
                     FROM facts.standing_member(%(as_of)s, %(known_at)s) j
                    WHERE j.joined AND j.person = m.person AND j.of_position < m.of_position),
                  '') AS relation
    FROM facts.standing_member(%(as_of)s, %(known_at)s) m
   WHERE NOT m.joined
), word AS (
  -- one of Latin letters stands alone, one of characters anywhere
  SELECT word, false AS denies, word ~ '^[a-z ]+$' AS latin
    FROM unnest(%(death)s::text[]) word
   UNION ALL
  SELECT word, true, word ~ '^[a-z ]+$'
    FROM unnest(%(other)s::text[]) word
), died AS MATERIALIZED (
  SELECT g.person, min(g.effective_on) AS on_day, min(g.of_position) AS of_position
    FROM gone g
   WHERE g.code = 'died'
      OR coalesce(g.code, 'other') = 'other'
         AND (SELECT bool_or(NOT w.denies)
                 AND NOT bool_or(w.denies AND strpos(g.relation, w.word) = 0)
                FROM word w
               WHERE CASE WHEN w.latin THEN g.said ~ ('\m' || w.word || '\M')
                          ELSE strpos(g.tight, w.word) > 0 END)
   GROUP BY g.person
), lent AS MATERIALIZED (
  SELECT l.*, d.on_day AS died_on, d.of_position AS died
    FROM died d
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l ON l.borrower = d.person
), counted AS MATERIALIZED (
  SELECT s.loan_id, s.period, s.payment_no, s.of_position, s.recorded_at,
         bool_or(s.until > l.died_on + 1) AS late,
         sum(s.principal_fen * (s.until - s.first) * s.rate_bp * s.share_bp) AS units,
         sum(s.principal_fen * greatest(least(s.until, l.died_on + 1) - s.first, 0)
             * s.rate_bp * s.share_bp) AS due_units
    FROM lent l
    JOIN facts.standing_subsidised(%(as_of)s, %(known_at)s) s USING (loan_id)
   WHERE NOT EXISTS (SELECT FROM facts.subsidy b
                      WHERE b.payment_no = s.payment_no AND b.paid_fen < 0
                        AND b.effective_on <= %(as_of)s AND b.recorded_at <= %(known_at)s)
   GROUP BY s.loan_id, s.period, s.payment_no, s.of_position, s.recorded_at
), net AS (
  -- what was paid and not recovered, after each payment and each recovery
  SELECT b.loan_id, b.period, b.recorded_at, b.position,
         sum(b.paid_fen - b.recovered_fen) OVER (PARTITION BY b.loan_id, b.period
                                                 ORDER BY b.recorded_at) AS fen
    FROM facts.subsidy b
   WHERE b.effective_on <= %(as_of)s AND b.recorded_at <= %(known_at)s
     AND EXISTS (SELECT FROM counted c
                  WHERE c.late AND c.loan_id = b.loan_id AND c.period = b.period)
), above AS MATERIALIZED (
  -- each side is rounded once a loan and quarter, as the settlement rounds it
  SELECT n.loan_id, n.period, n.recorded_at, n.position,
         least(n.fen, div(2 * max(c.units) + u.fen, 2 * u.fen))
         - div(2 * max(c.due_units) + u.fen, 2 * u.fen) AS fen
    FROM net n
    JOIN counted c ON c.loan_id = n.loan_id AND c.period = n.period
                  AND c.recorded_at <= n.recorded_at
   CROSS JOIN (SELECT %(day_count)s::numeric * 100000000 AS fen) u
   GROUP BY n.loan_id, n.period, n.recorded_at, n.position, n.fen, u.fen
  HAVING bool_or(c.late)
), since AS (
  SELECT DISTINCT ON (loan_id, period) *
    FROM above
   WHERE fen > 0
   ORDER BY loan_id, period, recorded_at, position
), at_last AS (
  SELECT DISTINCT ON (loan_id, period) *
    FROM above
   ORDER BY loan_id, period, recorded_at DESC, position DESC
), act AS (
  SELECT loan_id, of_position, principal_fen AS fen
    FROM lent
   WHERE effective_on > died_on OR contract_on > died_on
   UNION ALL
  SELECT loan_id, k.of_position, l.principal_fen
    FROM lent l
    JOIN facts.standing_usage_check(%(as_of)s, %(known_at)s) k USING (loan_id)
   WHERE k.borrower_met AND k.effective_on > l.died_on
   UNION ALL
  SELECT o.loan_id, k.position, o.fen
    FROM at_last o
    JOIN since k USING (loan_id, period)
   WHERE o.fen > 0
)
SELECT l.bank || '/' || l.loan_no AS subject,
       CASE WHEN bool_or(a.fen = l.principal_fen) THEN max(a.fen) ELSE sum(a.fen) END AS amount_fen,
       ARRAY[l.died, l.of_position, min(a.of_position)] AS positions,
       (array_agg(a.of_position ORDER BY a.of_position))[2:] AS context
  FROM lent l
  JOIN act a USING (loan_id)
 GROUP BY l.loan_id, l.bank, l.loan_no, l.died, l.of_position
