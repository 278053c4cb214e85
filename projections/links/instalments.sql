-- 分红、增收款逐期: by agreement, instalment and household: due, paid, short, and how many days late.
-- as_of, known_at; township: whose households (null: all); today: the last day of which it can be said
-- that something was not paid. Payments fill the instalments in their order.
WITH due AS (
  SELECT benefit_id, township, agreement_no, enterprise, household_no, due_on,
         array_agg(DISTINCT kind) AS kinds, sum(due_fen)::bigint AS due_fen,
         sum(sum(due_fen)) OVER (PARTITION BY benefit_id, household_no ORDER BY due_on) AS so_far_fen,
         min(of_position) AS position
    FROM facts.standing_benefit_due(%(as_of)s, %(known_at)s)
   WHERE %(township)s::text IS NULL OR township = %(township)s
   GROUP BY benefit_id, township, agreement_no, enterprise, household_no, due_on
), paid AS (
  SELECT benefit_id, household_no, effective_on,
         sum(sum(amount_fen)) OVER (PARTITION BY benefit_id, household_no ORDER BY effective_on)
           AS so_far_fen
    FROM facts.standing_benefit_paid(%(as_of)s, %(known_at)s)
   GROUP BY benefit_id, household_no, effective_on
), filled AS (
  SELECT d.*, p.paid_on,
         least(greatest(coalesce(p.fen, 0) - (d.so_far_fen - d.due_fen), 0), d.due_fen)::bigint
           AS paid_fen
    FROM due d
   CROSS JOIN LATERAL (
      SELECT max(so_far_fen) AS fen,
             min(effective_on) FILTER (WHERE so_far_fen >= d.so_far_fen) AS paid_on
        FROM paid p WHERE p.benefit_id = d.benefit_id AND p.household_no = d.household_no) p
)
SELECT township, agreement_no, enterprise, due_on, household_no, kinds, due_fen, paid_fen,
       CASE WHEN due_on <= %(today)s THEN due_fen - paid_fen ELSE 0 END AS short_fen, paid_on,
       greatest(coalesce(paid_on, %(today)s) - due_on, 0) AS days_late,
       CASE WHEN paid_on <= due_on THEN 'paid' WHEN paid_on IS NOT NULL THEN 'paid_late'
            WHEN due_on > %(today)s THEN 'pending' ELSE 'short' END AS state,
       position
  FROM filled
 ORDER BY agreement_no, due_on, household_no
