-- 认知差异之因: everything the ledger learnt in (known_from, known_to] that a line of the loan
-- or subsidy ledger rests on, up to a day. A row a statement and amount; money counts as posted.
-- as_of, known_from, known_to; loans, households: ids of the lines that changed.
WITH said AS (
  SELECT loan_id, NULL::uuid AS household_id, position, of_position, sign, effective_on,
         account AS amount_of, amount_fen, NULL::text AS payment_no
    FROM facts.posting WHERE account <> 'subsidy'
  UNION ALL
  SELECT loan_id, NULL, position, of_position, sign, effective_on, 'subsidy',
         paid_fen - recovered_fen, payment_no FROM facts.subsidy
  UNION ALL
  SELECT loan_id, NULL, position, of_position, sign, effective_on, NULL, NULL, NULL
    FROM facts.extension
  UNION ALL
  SELECT loan_id, NULL, position, of_position, sign, effective_on, NULL, NULL, NULL
    FROM facts.settlement
  UNION ALL
  SELECT loan_id, NULL, position, of_position, sign, effective_on, NULL, NULL, NULL
    FROM facts.usage_check
  UNION ALL
  SELECT NULL, household_id, position, of_position, sign, effective_on, NULL, NULL, NULL
    FROM facts.status
  UNION ALL
  SELECT NULL, household_id, position, of_position, sign, effective_on, NULL, NULL, NULL
    FROM facts.household
)
SELECT s.loan_id::text, s.household_id, s.amount_of, s.amount_fen, s.payment_no, s.sign, s.effective_on,
       k.recorded_at, k.position, k.organisation, k.ref,
       e.originator_id || '.' || e.originator_version AS event_id, e.topic,
       k.originator_id || '.' || k.originator_version AS known_by_event_id
  FROM said s
  JOIN ledger.event k ON k.position = s.position
  JOIN ledger.event e ON e.position = s.of_position
 WHERE k.recorded_at > %(known_from)s AND k.recorded_at <= %(known_to)s
   AND s.effective_on <= %(as_of)s
   AND (s.loan_id = ANY(%(loans)s::uuid[]) OR s.household_id = ANY(%(households)s))
 ORDER BY s.position, s.of_position, s.amount_of
