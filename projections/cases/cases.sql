-- 线索: one line a case, as of a day, as known at an instant, oldest first.
-- as_of, known_at; case_no, stage, rule, bank, township (null: all). {recoveries}: recoveries.sql.
WITH step AS (
  SELECT * FROM facts.standing_case_step(%(as_of)s, %(known_at)s)
), moved AS (
  SELECT case_id,
         max(position) FILTER (WHERE step IN ('opened', 'joined')) AS grown_at,
         max(position) FILTER (WHERE step = 'assigned') AS assigned_at,
         max(position) FILTER (WHERE step IN ('upheld', 'dismissed')) AS decided_at,
         max(position) FILTER (WHERE step = 'proposed') AS proposed_at,
         max(position) FILTER (WHERE step IN ('joined', 'assigned', 'asked')) AS unsettled_at,
         max(position) FILTER (WHERE step = 'reopened') AS reopened_at,
         max(position) FILTER (WHERE step = 'closed') AS closed_at,
         max(position) FILTER (WHERE step = 'rectified') AS rectified_at,
         count(*) FILTER (WHERE step = 'asked') AS asked,
         count(*) FILTER (WHERE step = 'explained') AS explained,
         max(position) AS position
    FROM step GROUP BY case_id
), standing AS (
  SELECT case_id, assigned_at, grown_at, asked, explained, position,
         proposed_at > greatest(coalesce(unsettled_at, 0), coalesce(reopened_at, 0)) AS proposed,
         CASE WHEN decided_at > coalesce(reopened_at, 0) THEN decided_at END AS decided_at,
         CASE WHEN closed_at > coalesce(reopened_at, 0) THEN closed_at END AS closed_at,
         CASE WHEN rectified_at > decided_at THEN rectified_at END AS rectified_at
    FROM moved
), recovery AS (
{recoveries}
), recovered AS (
  SELECT case_no, sum(amount_fen)::bigint AS fen FROM recovery WHERE standing GROUP BY case_no
), finding AS (
  SELECT case_id, count(*) AS findings, string_agg(DISTINCT rule, ' ' ORDER BY rule) AS rules,
         array_agg(rule) AS each_rule
    FROM facts.standing_case_finding(%(as_of)s, %(known_at)s) GROUP BY case_id
), loan AS (
  SELECT case_id, count(*) AS loans, count(DISTINCT household_no) AS households,
         array_agg(bank) AS banks, array_agg(township) AS townships
    FROM facts.standing_case_loan(%(as_of)s, %(known_at)s) GROUP BY case_id
), line AS (
  SELECT c.case_no, c.title,
         CASE WHEN m.closed_at IS NOT NULL THEN 'closed' WHEN m.decided_at IS NOT NULL THEN decision.step
              WHEN m.proposed THEN 'proposed' WHEN m.assigned_at IS NOT NULL THEN 'assigned'
              ELSE 'opened' END AS stage,
         decision.step AS outcome, c.office, a.person AS supervisor, a.investigator, f.rules,
         f.findings, coalesce(l.loans, 0) AS loans, coalesce(l.households, 0) AS households,
         m.asked, m.explained, g.amount_fen, decision.amount_fen AS upheld_fen,
         coalesce(r.fen, 0) AS recovered_fen, c.effective_on AS opened_on,
         decision.effective_on AS decided_on, put_right.effective_on AS rectified_on,
         done.effective_on AS closed_on,
         (coalesce(done.effective_on, %(as_of)s) - c.effective_on)::int AS waited_days,
         m.position, f.each_rule, l.banks, l.townships
    FROM facts.standing_case_file(%(as_of)s, %(known_at)s) c
    JOIN standing m USING (case_id)
    JOIN finding f USING (case_id)
    LEFT JOIN loan l USING (case_id)
    LEFT JOIN recovered r USING (case_no)
    JOIN step g ON g.position = m.grown_at
    LEFT JOIN step a ON a.position = m.assigned_at
    LEFT JOIN step decision ON decision.position = m.decided_at
    LEFT JOIN step put_right ON put_right.position = m.rectified_at
    LEFT JOIN step done ON done.position = m.closed_at
)
SELECT case_no, title, stage, outcome, office, supervisor, investigator, rules, findings, loans,
       households, asked, explained, amount_fen, upheld_fen, recovered_fen, opened_on, decided_on,
       rectified_on, closed_on, waited_days, position
  FROM line
 WHERE (%(case_no)s::text IS NULL OR case_no = %(case_no)s)
   AND (%(stage)s::text IS NULL OR stage = %(stage)s)
   AND (%(rule)s::text IS NULL OR %(rule)s = ANY (each_rule))
   AND (%(bank)s::text IS NULL OR %(bank)s = ANY (banks))
   AND (%(township)s::text IS NULL OR %(township)s = ANY (townships))
 ORDER BY opened_on, case_no
