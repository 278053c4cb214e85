-- 已公布报表: one line an edition that was published, in the order of the log.
-- as_of, known_at; reports: only editions of these (null: of all).
SELECT publication_no, report, report_as_of, known_at::timestamptz AS known_at, seen_position,
       rules, row_count, sha256, effective_on, recorded_at, position
  FROM facts.publication
 WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
   AND (%(reports)s::text[] IS NULL OR report = ANY (%(reports)s))
 ORDER BY position
