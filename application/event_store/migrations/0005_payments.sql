-- A payment is found by its number: one of a batch is told by the bank under the number of a whole
-- result file. (Content is UTF-8 for ever, so what it says of itself never changes: IMMUTABLE. What
-- is no JSON was altered, and has no number.)
CREATE FUNCTION ledger.payment_no(state bytea) RETURNS text
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  RETURN convert_from(state, 'UTF8')::jsonb ->> 'payment_no';
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END $$;
CREATE INDEX event_payment ON ledger.event (ledger.payment_no(state))
  WHERE topic = 'loan.subsidy-paid.v1';
