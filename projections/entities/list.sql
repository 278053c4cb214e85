-- One line an account or person, in the order of the pseudonyms.
-- kind; shared: only those of more than one household; role: only those that appear as this (null:
-- any); after: the line before this page (null: from
-- the beginning); most: how many (null: all).
SELECT pseudonym, array_agg(DISTINCT role) AS roles, count(DISTINCT household_no) AS households,
       count(DISTINCT bank) AS banks, count(DISTINCT (bank, loan_no)) FILTER (WHERE loan_no IS NOT NULL)
         AS loans,
       count(DISTINCT position) AS events, min(effective_on) AS first_on, max(effective_on) AS last_on,
       sum(in_fen)::bigint AS in_fen, sum(out_fen)::bigint AS out_fen
  FROM appearance
 WHERE kind = %(kind)s AND (%(after)s::text IS NULL OR pseudonym > %(after)s)
 GROUP BY pseudonym
HAVING (NOT %(shared)s OR min(household_no) <> max(household_no))
   AND (%(role)s::text IS NULL OR bool_or(role = %(role)s))
 ORDER BY pseudonym LIMIT %(most)s
