-- 一次检查的结果: what a rule found, beside what stood before; stored if it says anything new.
-- found: JSON objects (subject, nth, amount_fen, known_from, positions, context), null on an error;
-- anyway: whether a run is stored though no finding is other than before. A finding that merely
-- changed, as a balance does, is said again once an hour at most.
-- Returns the run's number, null when none was stored, and whether a change is still to be said.
WITH found AS (
  SELECT f.*
    FROM jsonb_to_recordset(coalesce(%(found)s::jsonb, '[]')) AS f (subject text, nth int,
      amount_fen bigint, known_from timestamptz, positions bigint[], context bigint[])
), stood AS (
  SELECT * FROM (
    SELECT DISTINCT ON (c.subject, c.nth) c.*
      FROM projection.red_flag_change c WHERE c.rule = %(rule)s
     ORDER BY c.subject, c.nth, c.change DESC) last
   WHERE last.kind <> 'gone' AND %(found)s::jsonb IS NOT NULL
), diff AS (
  SELECT CASE WHEN s.subject IS NULL THEN 'appeared' WHEN f.subject IS NULL THEN 'gone'
              ELSE 'changed' END AS kind,
         coalesce(f.subject, s.subject) AS subject, coalesce(f.nth, s.nth) AS nth,
         coalesce(f.amount_fen, s.amount_fen) AS amount_fen,
         CASE WHEN f.subject IS NULL THEN s.known_from ELSE f.known_from END AS known_from,
         coalesce(f.positions, s.positions) AS positions, coalesce(f.context, s.context) AS context,
         f.subject IS NOT NULL AND s.asked_at > %(asked_at)s - interval '1 hour' AS too_soon
    FROM found f FULL JOIN stood s ON s.subject = f.subject AND s.nth = f.nth
   WHERE (f.subject, f.amount_fen, f.known_from, f.positions, f.context)
         IS DISTINCT FROM (s.subject, s.amount_fen, s.known_from, s.positions, s.context)
), said AS (
  SELECT * FROM diff WHERE too_soon IS NOT TRUE
), run AS (
  INSERT INTO projection.red_flag_run (rule, rule_version, rulings, status, error, as_of, known_at,
    position, findings, amount_fen, appeared, changed, gone, asked_at, took_ms)
  SELECT %(rule)s, %(rule_version)s, %(rulings)s::jsonb, %(status)s, %(error)s, %(as_of)s,
         %(known_at)s, %(position)s, %(findings)s, %(amount_fen)s,
         count(*) FILTER (WHERE kind = 'appeared'), count(*) FILTER (WHERE kind = 'changed'),
         count(*) FILTER (WHERE kind = 'gone'), %(asked_at)s, %(took_ms)s
    FROM said HAVING %(anyway)s OR count(*) > 0
  RETURNING run
), stored AS (
  INSERT INTO projection.red_flag_change (run, kind, rule, subject, nth, amount_fen, known_from,
    positions, context, asked_at)
  SELECT run.run, kind, %(rule)s, subject, nth, amount_fen, known_from, positions, context,
         %(asked_at)s
    FROM said, run ORDER BY amount_fen, subject DESC, nth DESC
)
SELECT (SELECT run FROM run), EXISTS (SELECT FROM diff WHERE too_soon)
