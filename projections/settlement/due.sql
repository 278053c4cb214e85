-- 应贴（第二条路）：what each loan is due for each quarter, to the fen, without the domain's Python.
-- as_of, known_at; quarters: [{"name", "first", "until"}]; rules: {table: [{"from", "until",
-- "value"}]}, each stretch of days with what ruled then; day_count: {quarter: days a year}.
-- The principal of a day is what is owed, at most what older loans leave of the cap; a stretch of
-- equal days counts principal × days × rate × share; halves are rounded up, once a quarter.
WITH quarter AS MATERIALIZED (
  SELECT q.name, q."first", q."until", (%(day_count)s::jsonb ->> q.name)::bigint AS day_count
    FROM jsonb_to_recordset(%(quarters)s::jsonb) AS q (name text, "first" date, "until" date)
), rule AS MATERIALIZED (
  SELECT t.key AS name, r."from", r."until", r.value,
         CASE jsonb_typeof(r.value) WHEN 'number' THEN (r.value #>> '{}')::bigint END AS number
    FROM jsonb_each(%(rules)s::jsonb) t,
         jsonb_to_recordset(t.value) AS r ("from" date, "until" date, value jsonb)
), moved AS MATERIALIZED (
  SELECT loan_id, effective_on AS on_day, sum(amount_fen)::bigint AS fen
    FROM facts.posting
   WHERE account = 'principal' AND effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
   GROUP BY loan_id, effective_on HAVING sum(amount_fen) <> 0
), category AS (
  SELECT DISTINCT ON (l.loan_id) l.loan_id, s.category
    FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
    JOIN facts.standing_status(%(as_of)s, %(known_at)s) s
      ON s.household_id = l.household_id AND s.effective_on <= l.effective_on
   ORDER BY l.loan_id, s.effective_on DESC, s.of_position DESC
), eligible AS MATERIALIZED (
  SELECT l.loan_id, l.household_id, l.effective_on AS disbursed_on, l.contract_on, l.due_on,
         l.annual_rate_bp, (l.bank || '/' || l.loan_no) COLLATE "C" AS number,
         (12 * (extract(year FROM l.due_on) - extract(year FROM l.effective_on))
          + extract(month FROM l.due_on) - extract(month FROM l.effective_on))::int AS months
    FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
    JOIN category c USING (loan_id)
    JOIN rule r ON r.name = 'eligible_categories'
               AND l.effective_on >= r."from" AND l.effective_on < r."until"
   WHERE r.value ? c.category
), ended AS (
  SELECT loan_id, min(ends_on) AS ends_on
    FROM (SELECT loan_id, max(effective_on) AS ends_on
            FROM facts.standing_settlement(%(as_of)s, %(known_at)s) GROUP BY loan_id
           UNION ALL
          SELECT loan_id, min(effective_on)
            FROM facts.standing_usage_check(%(as_of)s, %(known_at)s)
           WHERE finding = 'diverted' GROUP BY loan_id) e
   GROUP BY loan_id
), terms AS MATERIALIZED (
  SELECT e.loan_id, e.household_id, e.disbursed_on, e.number,
         least(e.annual_rate_bp, quote.number) AS rate_bp,
         least(e.due_on, x.ends_on) AS ends_on
    FROM (SELECT *, months + CASE WHEN (disbursed_on + make_interval(months => months))::date
                                       < due_on THEN 1 ELSE 0 END AS term FROM eligible) e
    JOIN rule longest ON longest.name = 'longest_term_months'
     AND e.contract_on >= longest."from" AND e.contract_on < longest."until"
    JOIN rule short ON short.name = 'one_year_term_months'
     AND e.contract_on >= short."from" AND e.contract_on < short."until"
    JOIN rule quote
      ON quote.name = CASE WHEN e.term <= short.number THEN 'lpr_one_year'
                           ELSE 'lpr_five_year' END
     AND e.contract_on >= quote."from" AND e.contract_on < quote."until"
    LEFT JOIN ended x USING (loan_id)
   WHERE e.term <= longest.number
), change AS (
  SELECT t.loan_id, m.on_day, m.fen AS own_fen, 0::bigint AS older_fen
    FROM terms t JOIN moved m USING (loan_id)
   UNION ALL
  SELECT t.loan_id, m.on_day, 0, m.fen
    FROM terms t
    JOIN eligible o ON o.household_id = t.household_id
                   AND (o.disbursed_on, o.number) < (t.disbursed_on, t.number)
    JOIN moved m ON m.loan_id = o.loan_id
   UNION ALL
  SELECT t.loan_id, edge.on_day, 0, 0
    FROM terms t
    JOIN (SELECT "first" AS on_day FROM quarter UNION SELECT "until" FROM quarter
          UNION SELECT "from" FROM rule WHERE name IN ('credit_cap_fen', 'subsidy_share')) edge
      ON edge.on_day >= t.disbursed_on AND edge.on_day <= t.ends_on
), day AS (
  SELECT loan_id, on_day, sum(own_fen)::bigint AS own_fen, sum(older_fen)::bigint AS older_fen
    FROM change GROUP BY loan_id, on_day
), stretch AS (
  SELECT loan_id, on_day, lead(on_day) OVER later AS until_day,
         (sum(own_fen) OVER later)::bigint AS owed_fen,
         (sum(older_fen) OVER later)::bigint AS older_fen
    FROM day WINDOW later AS (PARTITION BY loan_id ORDER BY on_day)
), earned AS (
  SELECT s.loan_id, q.name AS period, q.day_count,
         sum(least(s.owed_fen, greatest(cap.number - s.older_fen, 0))
             * (least(coalesce(s.until_day, t.ends_on), t.ends_on, q."until") - s.on_day)
             * t.rate_bp * share.number) AS units
    FROM stretch s
    JOIN terms t USING (loan_id)
    JOIN quarter q ON s.on_day >= q."first" AND s.on_day < q."until"
    JOIN rule cap ON cap.name = 'credit_cap_fen'
                 AND s.on_day >= cap."from" AND s.on_day < cap."until"
    JOIN rule share ON share.name = 'subsidy_share'
                   AND s.on_day >= share."from" AND s.on_day < share."until"
   WHERE s.on_day < t.ends_on
   GROUP BY s.loan_id, q.name, q.day_count
)
SELECT loan_id::text, period,
       div(2 * units + day_count * 100000000, 2 * day_count * 100000000)::bigint AS due_fen
  FROM earned WHERE units > 0
