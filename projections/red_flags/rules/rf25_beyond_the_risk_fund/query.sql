WITH moved AS (
  SELECT recorded_at, position, amount_fen AS owed_fen, 0::bigint AS fund_fen
    FROM facts.posting
   WHERE account = 'principal' AND effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
   UNION ALL
  SELECT recorded_at, position, 0, CASE WHEN account = 'fund' THEN amount_fen ELSE -amount_fen END
    FROM facts.risk_fund
   WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
), known AS (
  SELECT recorded_at, max(position) AS position,
         sum(sum(owed_fen) - %(multiple)s * sum(fund_fen)) OVER later AS over_fen,
         bool_or(bool_or(fund_fen <> 0)) OVER later AS has_fund
    FROM moved
   GROUP BY recorded_at
  WINDOW later AS (ORDER BY recorded_at)
), since AS (
  SELECT min(recorded_at) AS recorded_at
    FROM known
   WHERE has_fund AND recorded_at > coalesce(
           (SELECT max(recorded_at) FROM known WHERE NOT has_fund OR over_fen <= 0), '-infinity')
)
SELECT 'county' AS subject, n.over_fen AS amount_fen,
       (SELECT array_agg(DISTINCT m.position)
          FROM moved m
         WHERE m.fund_fen <> 0 AND m.recorded_at <= s.recorded_at) || k.position AS positions
  FROM since s
  JOIN known k USING (recorded_at)
 CROSS JOIN (SELECT over_fen FROM known ORDER BY recorded_at DESC LIMIT 1) n
