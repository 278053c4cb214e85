-- A movement is an edge; one that went through a household's own account is two: the movement, and
-- the leg between the account and its household, of kind own_account.
, edge AS (
  SELECT leg.kind, leg.from_kind, leg.from_name, leg.to_kind, leg.to_name,
         CASE m.kind WHEN 'withheld' THEN 3 ELSE leg.step END AS step,
         m.amount_fen, m.effective_on, m.recorded_at, m.position, m.bank, m.loan_no,
         m.household_no, m.batch_no, m.receiver
    FROM movement m, LATERAL (VALUES
      (1, CASE WHEN m.via IS NULL OR m.to_kind = 'household' THEN m.kind ELSE 'own_account' END,
       m.from_kind, m.from_name,
       CASE WHEN m.via IS NULL THEN m.to_kind ELSE 'account' END, coalesce(m.via, m.to_name)),
      (2, CASE WHEN m.to_kind = 'household' THEN 'own_account' ELSE m.kind END,
       'account', m.via, m.to_kind, m.to_name)
    ) AS leg (step, kind, from_kind, from_name, to_kind, to_name)
   WHERE leg.step = 1 OR m.via IS NOT NULL
)
