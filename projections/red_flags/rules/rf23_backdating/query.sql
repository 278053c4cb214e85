WITH told AS (
  SELECT loan_id, of_position, effective_on, recorded_at
    FROM facts.standing_loan(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT loan_id, of_position, effective_on, recorded_at
    FROM facts.standing_repayment(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT loan_id, of_position, agreed_on, recorded_at
    FROM facts.standing_extension(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT loan_id, of_position, effective_on, recorded_at
    FROM facts.standing_outflow(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT loan_id, of_position, effective_on, recorded_at
    FROM facts.standing_reminder(%(as_of)s, %(known_at)s)
), notice AS (
  SELECT s.*, b.batch_no, (s.recorded_at AT TIME ZONE 'Asia/Shanghai')::date AS recorded_on,
         EXISTS (SELECT FROM facts.batch_step a
                  WHERE a.batch_id = s.batch_id AND a.step = 'approved'
                    AND a.effective_on <= %(as_of)s AND a.recorded_at <= %(known_at)s) AS approved,
         (SELECT coalesce(sum(l.amount_fen), 0)::bigint
            FROM facts.batch_line l
           WHERE l.batch_id = s.batch_id AND l.kind <> 'recovery'
             AND coalesce(s.township, '') IN ('', l.township)) AS fen
    FROM facts.batch_step s
    JOIN facts.batch b USING (batch_id)
   WHERE s.step = 'noticed' AND s.effective_on <= %(as_of)s AND s.recorded_at <= %(known_at)s
), extended AS (
  SELECT x.*, l.loan_no, l.principal_fen,
         coalesce(lag(x.new_due_on) OVER series, l.due_on) AS due_before,
         coalesce(lag(x.of_position) OVER series, l.of_position) AS before
    FROM facts.standing_extension(%(as_of)s, %(known_at)s) x
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
  WINDOW series AS (PARTITION BY x.loan_id ORDER BY x.effective_on, x.agreed_on, x.new_due_on)
), odd AS (
  SELECT loan_no, of_position, effective_on, 'contract_on' AS named, principal_fen AS fen,
         ARRAY[of_position] AS positions
    FROM facts.standing_loan(%(as_of)s, %(known_at)s)
   WHERE effective_on - contract_on > %(days)s
   UNION ALL
  SELECT loan_no, of_position, effective_on, 'agreed_on', principal_fen, ARRAY[of_position, before]
    FROM extended
   WHERE agreed_on > due_before
   UNION ALL
  SELECT loan_no, of_position, effective_on, 'new_due_on', principal_fen, ARRAY[of_position, before]
    FROM extended
   WHERE new_due_on <= due_before OR new_due_on <= agreed_on
   UNION ALL
  SELECT l.loan_no, p.of_position, p.effective_on, 'due_on', p.amount_fen, ARRAY[p.of_position]
    FROM facts.standing_repayment_plan(%(as_of)s, %(known_at)s) p
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
   WHERE p.due_on < p.effective_on
   UNION ALL
  SELECT agreement_no, of_position, effective_on, 'due_on', due_fen, ARRAY[of_position]
    FROM facts.standing_benefit_due(%(as_of)s, %(known_at)s)
   WHERE due_on < effective_on
   UNION ALL
  SELECT loan_no, x.of_position, x.effective_on, 'settled_on', principal_fen,
         ARRAY[x.of_position, s.of_position]
    FROM extended x
    JOIN facts.standing_settlement(%(as_of)s, %(known_at)s) s USING (loan_id)
   WHERE x.effective_on >= s.effective_on
   UNION ALL
  SELECT l.loan_no, k.of_position, k.effective_on, 'due_on', k.amount_fen,
         ARRAY[k.of_position, coalesce(x.of_position, l.of_position)]
    FROM facts.standing_compensation(%(as_of)s, %(known_at)s) k
    JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
    LEFT JOIN LATERAL (
      SELECT x.of_position, x.new_due_on
        FROM facts.standing_extension(%(as_of)s, %(known_at)s) x
       WHERE x.loan_id = k.loan_id AND x.effective_on <= k.effective_on
       ORDER BY x.effective_on DESC, x.agreed_on DESC, x.new_due_on DESC
       LIMIT 1) x ON true
   WHERE k.loss_fen > 0 AND k.effective_on < coalesce(x.new_due_on, l.due_on)
), after AS MATERIALIZED (
  SELECT loan_id, of_position, effective_on
    FROM facts.standing_outflow(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT loan_id, of_position, effective_on
    FROM facts.standing_reminder(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT loan_id, of_position, coalesce(began_on, effective_on)
    FROM facts.standing_usage_check(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT DISTINCT loan_id, of_position, effective_on
    FROM facts.standing_repayment_plan(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT loan_id, of_position, effective_on
    FROM facts.standing_guarantee(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT loan_id, of_position, effective_on
    FROM facts.standing_renewal(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT loan_id, of_position, effective_on
    FROM facts.standing_subsidy(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT loan_id, of_position, effective_on
    FROM facts.standing_compensation(%(as_of)s, %(known_at)s)
), home AS MATERIALIZED (
  SELECT household_id, household_no, of_position, effective_on
    FROM facts.standing_household(%(as_of)s, %(known_at)s)
), of_home AS MATERIALIZED (
  SELECT household_id, of_position, effective_on, amount_fen AS fen
    FROM facts.standing_demand(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT household_id, of_position, effective_on, coalesce(amount_fen, 0)
    FROM facts.standing_credit(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT household_id, of_position, effective_on, 0
    FROM facts.standing_rating(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT household_id, of_position, effective_on, 0
    FROM facts.standing_status(%(as_of)s, %(known_at)s)
   UNION ALL
  SELECT household_id, of_position, effective_on, 0
    FROM facts.standing_member(%(as_of)s, %(known_at)s)
)
SELECT subject, sum(amount_fen) AS amount_fen,
       (array_agg(position ORDER BY position))[:1] AS positions,
       (array_agg(position ORDER BY position))[2:] AS context
  FROM (SELECT e.position,
               e.organisation || '/' || (e.told ->> 'person') || ' ' || e.loan_no || ' ' || e.topic
                 || ' ' || e.effective_on AS subject,
               coalesce((e.told ->> 'principal_fen')::bigint, (e.told ->> 'amount_fen')::bigint, 0)
                 AS amount_fen
          FROM (SELECT e.position, e.organisation, e.topic, t.effective_on, l.loan_no,
                       convert_from(e.state, 'UTF8')::jsonb AS told
                  FROM told t
                  JOIN ledger.event e ON e.position = t.of_position
                  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
                 WHERE (t.recorded_at AT TIME ZONE 'Asia/Shanghai')::date - t.effective_on
                         > %(days)s
                OFFSET 0) e
         WHERE e.told ->> 'document' IS NULL AND e.told ->> 'remark' IS NULL
           AND e.told ->> 'replaces' IS NULL) late
 GROUP BY subject
 UNION ALL
SELECT e.organisation || '/' || n.person || ' ' || n.batch_no || ' ' || e.topic
         || ' ' || n.effective_on,
       max(n.fen), (array_agg(n.of_position ORDER BY n.of_position))[:1],
       (array_agg(n.of_position ORDER BY n.of_position))[2:]
  FROM notice n
  JOIN ledger.event e ON e.position = n.of_position
 WHERE n.recorded_on > n.effective_on
   AND (convert_from(e.state, 'UTF8')::jsonb ->> 'document' IS NOT NULL
        OR (n.approved AND n.until_on - n.recorded_on + 1 < %(notice_days)s
            AND NOT EXISTS (
                SELECT FROM notice o
                  JOIN ledger.event oe ON oe.position = o.of_position
                 WHERE o.batch_id = n.batch_id AND o.level = n.level
                   AND o.township IS NOT DISTINCT FROM n.township
                   AND (o.until_on - greatest(o.recorded_on, o.effective_on) + 1 >= %(notice_days)s
                        OR convert_from(oe.state, 'UTF8')::jsonb ->> 'document' IS NOT NULL))))
 GROUP BY e.organisation, n.person, n.batch_no, e.topic, n.effective_on
 UNION ALL
SELECT e.organisation || '/' || (convert_from(e.state, 'UTF8')::jsonb ->> 'person')
         || ' ' || o.loan_no || ' ' || e.topic || ' ' || o.effective_on || ' ' || o.named,
       max(o.fen), min(o.positions), '{}'::bigint[]
  FROM odd o
  JOIN ledger.event e ON e.position = o.of_position
 GROUP BY e.organisation, e.state, o.loan_no, e.topic, o.effective_on, o.named
 UNION ALL
SELECT e.organisation || '/' || (convert_from(e.state, 'UTF8')::jsonb ->> 'person')
         || ' ' || l.loan_no || ' ' || e.topic || ' ' || l.effective_on || ' effective_on',
       l.principal_fen, l.of_position || (array_agg(a.of_position ORDER BY a.of_position))[:1],
       (array_agg(a.of_position ORDER BY a.of_position))[2:]
  FROM after a
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
  JOIN ledger.event e ON e.position = l.of_position
 WHERE a.effective_on < l.effective_on
 GROUP BY e.organisation, e.state, e.topic, l.loan_no, l.effective_on, l.principal_fen,
          l.of_position
 UNION ALL
SELECT o.organisation || '/' || o.person || ' ' || h.household_no || ' ' || o.topic || ' '
         || o.effective_on || ' effective_on',
       sum(o.fen)::bigint, ARRAY[min(o.of_position), h.of_position],
       (array_agg(o.of_position ORDER BY o.of_position))[2:]
  FROM (SELECT DISTINCT m.*, e.organisation, e.topic,
               convert_from(e.state, 'UTF8')::jsonb ->> 'person' AS person
          FROM home
          JOIN of_home m ON m.household_id = home.household_id
                        AND m.effective_on < home.effective_on
          JOIN ledger.event e ON e.position = m.of_position) o
  JOIN home h USING (household_id)
 GROUP BY o.organisation, o.person, h.household_no, h.of_position, o.topic, o.effective_on
