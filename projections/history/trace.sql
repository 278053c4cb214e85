-- 贴息溯源: the whole history behind one subsidy payment, in one question to the log.
-- payment_no; known_at: what was recorded by then (null: all).
-- Returns every event of the loan and of its household (but not who looked at its people), of the
-- batch by which it was paid (but not its lines), and of the programme; and the household's wrapped
-- key, null when it was destroyed.
WITH payment AS (
  SELECT e.originator_id, (convert_from(e.state, 'UTF8')::jsonb ->> 'batch_id')::uuid AS batch_id
    FROM ledger.event e
   WHERE e.topic = 'loan.subsidy-paid.v1'
     AND ledger.payment_no(e.state) = %(payment_no)s
     AND (%(known_at)s::timestamptz IS NULL OR e.recorded_at <= %(known_at)s)
   LIMIT 1
), household AS (
  SELECT (convert_from(e.state, 'UTF8')::jsonb ->> 'household_id')::uuid AS id
    FROM ledger.event e, payment p
   WHERE e.originator_id = p.originator_id AND e.topic = 'loan.disbursed.v1'
   ORDER BY e.originator_version DESC
   LIMIT 1
)
SELECT e.position, e.recorded_at, e.originator_id, e.originator_version, e.topic,
       e.organisation, e.ref, e.state, e.originator_id || '.' || e.originator_version,
       (SELECT k.wrapped FROM ledger.household_key k, household
         WHERE k.household_id = household.id
         ORDER BY k.wrapping_id = ledger.present_wrapping() DESC LIMIT 1)
  FROM ledger.event e
 WHERE e.originator_id IN (SELECT originator_id FROM payment UNION ALL SELECT id FROM household
                           UNION ALL SELECT batch_id FROM payment UNION ALL SELECT %(programme)s)
   AND (%(known_at)s::timestamptz IS NULL OR e.recorded_at <= %(known_at)s)
   AND e.topic NOT IN ('household.looked-at.v1', 'batch.listed.v1')
 ORDER BY e.position
