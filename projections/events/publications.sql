-- 已公布报表: the editions that were made when the log had come past a position, of a day or later.
-- as_of, known_at; position; day: on which the event counts; reports: only these (null: all).
SELECT publication_no, report, report_as_of, known_at::timestamptz AS known_at, seen_position,
       rules, row_count, sha256, effective_on, recorded_at, position
  FROM facts.publication
 WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
   AND seen_position >= %(position)s AND report_as_of >= %(day)s::date
   AND (%(reports)s::text[] IS NULL OR report = ANY (%(reports)s))
 ORDER BY position
