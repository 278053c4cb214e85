-- 知晓过程: everything that what is due to some loans depends on, with when it became known.
-- as_of, known_at; loans: the loans asked for, with all others of their households. One row a
-- statement of a kind; `sign` -1 takes back the statement of the same place and kind.
WITH home AS (
  SELECT DISTINCT household_id FROM facts.loan WHERE loan_id = ANY (%(loans)s::uuid[])
), own AS (
  SELECT l.* FROM facts.loan l JOIN home USING (household_id)
), id AS (
  SELECT DISTINCT household_id, loan_id FROM own
)
SELECT 'loan' AS kind, of_position, position, recorded_at, effective_on AS on_day, sign,
       household_id::text, loan_id::text, bank || '/' || loan_no AS word, contract_on, due_on,
       annual_rate_bp::bigint AS amount
  FROM own WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
 UNION ALL
SELECT 'status', s.of_position, s.position, s.recorded_at, s.effective_on, s.sign,
       household_id::text, NULL, s.category, NULL, NULL, NULL
  FROM facts.status s JOIN home USING (household_id)
 WHERE s.effective_on <= %(as_of)s AND s.recorded_at <= %(known_at)s
 UNION ALL
SELECT 'posting', p.of_position, p.position, p.recorded_at, p.effective_on, p.sign,
       id.household_id::text, id.loan_id::text, NULL, NULL, NULL, p.amount_fen
  FROM facts.posting p JOIN id USING (loan_id)
 WHERE p.account = 'principal' AND p.effective_on <= %(as_of)s AND p.recorded_at <= %(known_at)s
 UNION ALL
SELECT 'settled', s.of_position, s.position, s.recorded_at, s.effective_on, s.sign,
       id.household_id::text, id.loan_id::text, NULL, NULL, NULL, NULL
  FROM facts.settlement s JOIN id USING (loan_id)
 WHERE s.effective_on <= %(as_of)s AND s.recorded_at <= %(known_at)s
 UNION ALL
SELECT 'diverted', k.of_position, k.position, k.recorded_at, coalesce(k.began_on, k.effective_on),
       k.sign, id.household_id::text, id.loan_id::text, NULL, NULL, NULL, NULL
  FROM facts.usage_check k JOIN id USING (loan_id)
 WHERE k.finding = 'diverted' AND k.effective_on <= %(as_of)s AND k.recorded_at <= %(known_at)s
 UNION ALL
SELECT 'paid', s.of_position, s.position, s.recorded_at, s.effective_on, s.sign,
       id.household_id::text, id.loan_id::text, s.period, NULL, NULL, s.paid_fen - s.recovered_fen
  FROM facts.subsidy s JOIN id USING (loan_id)
 WHERE s.effective_on <= %(as_of)s AND s.recorded_at <= %(known_at)s
 UNION ALL
-- what upheld objections leave; a lifting takes its limit back
SELECT 'limit_' || l.others, l.of_position, k.position, k.recorded_at, k.effective_on, k.sign,
       id.household_id::text, id.loan_id::text, l.period, NULL, l.until, l.most_fen
  FROM facts.subsidy_limit l
  JOIN id USING (loan_id)
 CROSS JOIN LATERAL (
    SELECT l.position, l.recorded_at, l.effective_on, 1::smallint AS sign
     UNION ALL
    SELECT x.position, x.recorded_at, x.effective_on, (-1)::smallint FROM facts.subsidy_limit x
     WHERE x.lifted AND x.loan_id = l.loan_id AND x.batch_no = l.batch_no
       AND x.objection_no = l.objection_no) k
 WHERE NOT l.lifted AND k.effective_on <= %(as_of)s AND k.recorded_at <= %(known_at)s
 UNION ALL
-- a line that holds nothing any more: its batch was returned, or it was withdrawn, held, failed or
-- came back
SELECT 'released', s.position, s.position, s.recorded_at, s.effective_on, 1::smallint,
       id.household_id::text, id.loan_id::text, b.period, NULL, NULL, NULL
  FROM id
  JOIN facts.batch_line b USING (loan_id)
  JOIN (SELECT batch_id, line, position, recorded_at, effective_on FROM facts.batch_step
         WHERE step = 'returned' OR (step = 'resolved' AND upheld)
         UNION ALL
        SELECT batch_id, line, position, recorded_at, effective_on FROM facts.batch_line_step
         WHERE step IN ('held', 'failed', 'returned')) s
    ON s.batch_id = b.batch_id AND coalesce(s.line, b.line) = b.line
 WHERE s.effective_on <= %(as_of)s AND s.recorded_at <= %(known_at)s
 ORDER BY position
