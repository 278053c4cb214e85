-- 公示: which notices each verified batch needs, and when they were posted.
-- as_of, known_at; township: whose (null: all); levels: the levels that the rule wants; days: for
-- how many days. Of several notices of one level each stands to its end, and one must count: from the
-- day on which it was recorded, if that is after it began and no document is its ground.
WITH step AS (
  SELECT * FROM facts.batch_step WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
), open AS (
  SELECT batch_id, effective_on AS verified_on, position AS opened_by FROM step v
   WHERE v.step = 'verified'
     AND NOT EXISTS (SELECT FROM step r WHERE r.batch_id = v.batch_id AND r.step = 'returned')
), needed AS (
  SELECT DISTINCT o.*, l.township, level
    FROM open o
    JOIN facts.batch_line l USING (batch_id)
    CROSS JOIN unnest(%(levels)s::text[]) level
   WHERE l.kind <> 'recovery' AND level <> 'county'
   UNION
  SELECT o.*, '', level FROM open o CROSS JOIN unnest(%(levels)s::text[]) level
   WHERE level = 'county'
)
SELECT n.township, '' AS village, '' AS household_no, n.opened_by, n.verified_on,
       count(*) AS wanted, count(p.position) AS posted,
       max(p.effective_on) AS posted_on, max(p.position) AS position, max(p.until_on) AS until_on
  FROM needed n
  LEFT JOIN LATERAL (
    SELECT min(s.effective_on) FILTER (WHERE s.counts) AS effective_on,
           min(s.position) FILTER (WHERE s.counts) AS position, max(s.until_on) AS until_on
      FROM (SELECT s.*, x.recorded_on <= s.effective_on OR s.until_on - x.recorded_on + 1 >= %(days)s
                     OR convert_from(e.state, 'UTF8')::jsonb ->> 'document' IS NOT NULL AS counts
              FROM step s
              JOIN ledger.event e ON e.position = s.of_position
             CROSS JOIN LATERAL (
               SELECT (s.recorded_at AT TIME ZONE 'Asia/Shanghai')::date AS recorded_on) x
             WHERE s.batch_id = n.batch_id AND s.step = 'noticed' AND s.level = n.level
               AND coalesce(s.township, '') = n.township) s) p ON true
 WHERE %(township)s::text IS NULL OR n.township = %(township)s
 GROUP BY n.batch_id, n.township, n.opened_by, n.verified_on
