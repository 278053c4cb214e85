-- 疑点收件箱: each finding as the checks up to an instant left it; also those that went.
-- through (null: now). One row a rule, subject and number. first_shown_at: when a check first
-- found it; changed_at: when a check last found it other than before.
WITH said AS (
  SELECT DISTINCT ON (rule, subject, nth) *
    FROM projection.red_flag_change
   WHERE %(through)s::timestamptz IS NULL OR asked_at <= %(through)s
   ORDER BY rule, subject, nth, change DESC
), shown AS (
  SELECT rule, subject, nth, min(asked_at) AS first_shown_at
    FROM projection.red_flag_change
   WHERE kind = 'appeared' AND (%(through)s::timestamptz IS NULL OR asked_at <= %(through)s)
   GROUP BY rule, subject, nth
)
SELECT s.rule, s.subject, s.nth, s.kind, s.amount_fen, s.known_from, f.first_shown_at,
       s.asked_at AS changed_at, s.positions, s.context
  FROM said s
  JOIN shown f USING (rule, subject, nth)
 ORDER BY s.rule, s.subject, s.nth
