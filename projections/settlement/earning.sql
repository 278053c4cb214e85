-- What earns（第二条路）：each loan's ranges of days with what holds on them, without the domain's Python.
-- as_of, known_at; quarters: [{"name", "first", "until"}]; rules: {table: [{"from", "until",
-- "value"}]}, each stretch of days with what ruled then; day_count: {quarter: days a year, or null};
-- loans: which, with all older ones of their households (null: the county).
-- The principal of a day is what is owed, at most what older loans leave of the cap.
-- due.sql and earning_ranges.sql follow, each with what it asks of `earning`.
WITH rule AS MATERIALIZED (
  SELECT t.key AS name, r."from", r."until", r.value,
         CASE jsonb_typeof(r.value) WHEN 'number' THEN (r.value #>> '{}')::bigint END AS number
    FROM jsonb_each(%(rules)s::jsonb) t,
         jsonb_to_recordset(t.value) AS r ("from" date, "until" date, value jsonb)
), categories AS MATERIALIZED (SELECT * FROM rule WHERE name = 'eligible_categories'
), longest AS MATERIALIZED (SELECT * FROM rule WHERE name = 'longest_term_months'
), short AS MATERIALIZED (SELECT * FROM rule WHERE name = 'one_year_term_months'
), basis AS MATERIALIZED (SELECT * FROM rule WHERE name = 'rate_basis'
), quarter AS MATERIALIZED (
  SELECT q.*, CASE WHEN q.day_count IS NULL THEN 'day_count'
                   WHEN share.name IS NULL THEN 'subsidy_share'
                   WHEN cap.name IS NULL THEN 'credit_cap_fen' END AS missing
    FROM (SELECT name, "first", "until", (%(day_count)s::jsonb ->> name)::bigint AS day_count
            FROM jsonb_to_recordset(%(quarters)s::jsonb) AS q (name text, "first" date, "until" date)) q
    LEFT JOIN rule share ON share.name = 'subsidy_share'
                        AND q."first" >= share."from" AND q."first" < share."until"
    LEFT JOIN rule cap ON cap.name = 'credit_cap_fen'
                      AND q."first" >= cap."from" AND q."first" < cap."until"
), ruled AS MATERIALIZED (
  -- each day of a quarter that can be judged, with what holds on it
  SELECT d.*, cap.number AS cap_fen, share.number AS share_bp
    FROM (SELECT name AS period, day_count, "until", "first" + n AS on_day
            FROM quarter, generate_series(0, "until" - "first" - 1) n WHERE missing IS NULL) d
    JOIN rule cap ON cap.name = 'credit_cap_fen'
                 AND d.on_day >= cap."from" AND d.on_day < cap."until"
    JOIN rule share ON share.name = 'subsidy_share'
                   AND d.on_day >= share."from" AND d.on_day < share."until"
), moved AS MATERIALIZED (
  SELECT loan_id, effective_on AS on_day, sum(amount_fen)::bigint AS fen
    FROM facts.posting
   WHERE account = 'principal' AND effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
     AND (%(loans)s::uuid[] IS NULL OR loan_id = ANY (%(loans)s::uuid[]))
   GROUP BY loan_id, effective_on HAVING sum(amount_fen) <> 0
), category AS (
  SELECT DISTINCT ON (l.loan_id) l.loan_id, s.category
    FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
    JOIN facts.standing_status(%(as_of)s, %(known_at)s) s
      ON s.household_id = l.household_id AND s.effective_on <= l.effective_on
   WHERE %(loans)s::uuid[] IS NULL OR l.loan_id = ANY (%(loans)s::uuid[])
   ORDER BY l.loan_id, s.effective_on DESC, s.of_position DESC
), lent AS MATERIALIZED (
  SELECT l.*, l.months + CASE WHEN (l.disbursed_on + make_interval(months => l.months))::date
                                    < l.due_on THEN 1 ELSE 0 END AS term,
         CASE WHEN r.name IS NOT NULL THEN coalesce(r.value ? c.category, false) END AS eligible
    FROM (SELECT loan_id, household_id, effective_on AS disbursed_on, contract_on, due_on,
                 annual_rate_bp, (bank || '/' || loan_no) COLLATE "C" AS number,
                 (12 * (extract(year FROM due_on) - extract(year FROM effective_on))
                  + extract(month FROM due_on) - extract(month FROM effective_on))::int AS months
            FROM facts.standing_loan(%(as_of)s, %(known_at)s)
           WHERE effective_on < (SELECT max("until") FROM quarter)
             AND (%(loans)s::uuid[] IS NULL OR loan_id = ANY (%(loans)s::uuid[]))) l
    JOIN (SELECT DISTINCT loan_id FROM moved) m USING (loan_id)
    LEFT JOIN category c USING (loan_id)
    LEFT JOIN categories r ON l.disbursed_on >= r."from" AND l.disbursed_on < r."until"
), ended AS (
  SELECT loan_id, min(ends_on) AS ends_on
    FROM (SELECT loan_id, max(effective_on) AS ends_on
            FROM facts.standing_settlement(%(as_of)s, %(known_at)s)
           WHERE %(loans)s::uuid[] IS NULL OR loan_id = ANY (%(loans)s::uuid[])
           GROUP BY loan_id
           UNION ALL
          SELECT loan_id, min(coalesce(began_on, effective_on))
            FROM facts.standing_usage_check(%(as_of)s, %(known_at)s)
           WHERE finding = 'diverted'
             AND (%(loans)s::uuid[] IS NULL OR loan_id = ANY (%(loans)s::uuid[]))
           GROUP BY loan_id) e
   GROUP BY loan_id
), term AS MATERIALIZED (
  SELECT e.*, longest.number AS longest,
         CASE WHEN basis.value ->> 0 = 'flat' THEN 'flat_rate_bp'
              WHEN basis.name IS NULL THEN 'rate_basis'
              WHEN short.name IS NULL THEN 'one_year_term_months'
              WHEN e.term <= short.number THEN 'lpr_one_year' ELSE 'lpr_five_year' END AS capped_by
    FROM lent e
    LEFT JOIN longest ON e.contract_on >= longest."from" AND e.contract_on < longest."until"
    LEFT JOIN short ON e.contract_on >= short."from" AND e.contract_on < short."until"
    LEFT JOIN basis ON e.contract_on >= basis."from" AND e.contract_on < basis."until"
), judged AS MATERIALIZED (
  SELECT e.*, least(e.annual_rate_bp, cap.number) AS rate_bp, least(e.due_on, x.ends_on) AS ends_on,
         CASE WHEN e.eligible IS NULL THEN 'eligible_categories'
              WHEN NOT e.eligible THEN NULL
              WHEN e.longest IS NULL THEN 'longest_term_months'
              WHEN e.term <= e.longest AND cap.number IS NULL THEN e.capped_by END AS missing
    FROM term e
    LEFT JOIN rule cap ON cap.name = e.capped_by AND cap.number IS NOT NULL
     AND e.capped_by NOT IN ('rate_basis', 'one_year_term_months')
     AND e.contract_on >= cap."from" AND e.contract_on < cap."until"
    LEFT JOIN ended x USING (loan_id)
), terms AS MATERIALIZED (
  SELECT * FROM judged WHERE eligible AND missing IS NULL AND term <= longest
), room AS MATERIALIZED (
  -- the loans that take up a cap: of an eligible household, and not shown to be too long
  SELECT loan_id, household_id,
         row_number() OVER (PARTITION BY household_id ORDER BY disbursed_on, number) AS turn
    FROM judged WHERE eligible AND coalesce(term <= longest, true)
), older AS (
  -- what moved on a day of the household's loans before each: all its loans beside all its days
  SELECT r.loan_id, d.on_day, sum(m.fen) OVER before AS fen
    FROM room r
    JOIN (SELECT DISTINCT household_id, on_day FROM room JOIN moved USING (loan_id)) d
         USING (household_id)
    LEFT JOIN moved m ON m.loan_id = r.loan_id AND m.on_day = d.on_day
  WINDOW before AS (PARTITION BY d.on_day, household_id ORDER BY r.turn
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), change AS (
  SELECT t.loan_id, m.on_day, m.fen AS own_fen, 0::bigint AS older_fen
    FROM terms t JOIN moved m USING (loan_id)
   UNION ALL
  SELECT loan_id, on_day, 0, fen FROM older WHERE fen <> 0
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
), earning AS (
  SELECT s.loan_id, r.period, r.day_count, s.on_day AS "first",
         least(coalesce(s.until_day, t.ends_on), t.ends_on, r."until") AS "until",
         least(s.owed_fen, greatest(r.cap_fen - s.older_fen, 0)) AS principal_fen,
         t.rate_bp, r.share_bp
    FROM stretch s
    JOIN terms t USING (loan_id)
    JOIN ruled r USING (on_day)
   WHERE s.on_day < t.ends_on
)
