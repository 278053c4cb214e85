-- 资金台账: one line a budget year, as of a day, as known at an instant.
-- as_of, known_at. allocated = paid + reserved + free, always: each row moves one amount.
SELECT year,
       coalesce(-sum(fen) FILTER (WHERE account = 'treasury'), 0)::bigint AS allocated_fen,
       coalesce(sum(fen) FILTER (WHERE account = 'reserved'), 0)::bigint AS reserved_fen,
       coalesce(sum(fen) FILTER (WHERE account = 'paid'), 0)::bigint AS paid_fen,
       coalesce(sum(fen) FILTER (WHERE account = 'free'), 0)::bigint AS free_fen
  FROM (SELECT year, account, amount_fen AS fen FROM facts.fund
         WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
         UNION ALL
        SELECT year, counter_account, -amount_fen FROM facts.fund
         WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s) leg
 GROUP BY year ORDER BY year
