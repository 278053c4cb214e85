-- 应贴（第二条路）：what each loan is due for each quarter, to the fen; it follows earning.sql.
-- A range counts principal × days × rate × share; halves are rounded up, once a quarter.
-- One row a loan and quarter with anything due. Where a ruling is missing, due_fen is null and
-- `missing` names its table: period '' for a loan that cannot be judged at all, else the quarter.
, earned AS (
  SELECT loan_id, period, day_count,
         sum(principal_fen * ("until" - "first") * rate_bp * share_bp) AS units
    FROM earning GROUP BY loan_id, period, day_count
)
SELECT loan_id::text, period,
       div(2 * units + day_count * 100000000, 2 * day_count * 100000000)::bigint AS due_fen,
       NULL AS missing
  FROM earned WHERE units > 0
 UNION ALL
SELECT loan_id::text, '', NULL, missing FROM judged WHERE missing IS NOT NULL
 UNION ALL
SELECT t.loan_id::text, q.name, NULL, q.missing
  FROM terms t
  JOIN quarter q ON q.missing IS NOT NULL AND q."until" > t.disbursed_on AND q."first" < t.ends_on
 WHERE t.disbursed_on < t.ends_on
