-- How many there are of each category, and how much money it is.
SELECT category, count(*) AS payments, sum(amount_fen)::bigint AS amount_fen
  FROM unlinked GROUP BY category
