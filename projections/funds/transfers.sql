-- 资金拨付: every transfer between accounts of offices and banks, in the order of days and log.
-- as_of, known_at; year: of this budget year (null: any).
SELECT t.year, t.effective_on, t.payer, t.payee, t.amount_fen, t.purpose, t.voucher, t.position,
       e.originator_id || '.' || e.originator_version AS event_id
  FROM facts.standing_transfer(%(as_of)s, %(known_at)s) t JOIN ledger.event e USING (position)
 WHERE %(year)s::int IS NULL OR t.year = %(year)s
 ORDER BY t.effective_on, t.position
