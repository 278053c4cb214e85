-- The whole county: by year, kind of movement, and kinds of its two ends.
SELECT from_kind, to_kind, kind, extract(year FROM effective_on)::int AS year,
       sum(amount_fen)::bigint AS amount_fen, count(*) AS movements,
       min(effective_on) AS first_on, max(effective_on) AS last_on
  FROM edge GROUP BY 1, 2, 3, 4 ORDER BY 4, 3, 1, 2
