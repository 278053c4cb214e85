-- The single ones. category: of this (null: all); after: the position before this page (null: from the
-- beginning); most: how many (null: all).
SELECT u.*, e.originator_id || '.' || e.originator_version AS event_id
  FROM (SELECT * FROM unlinked
         WHERE (%(category)s::text IS NULL OR category = %(category)s)
           AND (%(after)s::bigint IS NULL OR position > %(after)s)
         ORDER BY category, position LIMIT %(most)s) u
  JOIN ledger.event e USING (position)
 ORDER BY u.category, u.position
