-- Through where a rule is checked. A rule that failed stays checked through where it last did not.
INSERT INTO projection.red_flag_status AS s (rule, rule_version, rulings, status, error, findings,
  amount_fen, as_of, known_at, position, asked_position, asked_at, took_ms, run, digest)
VALUES (%(rule)s, %(rule_version)s, %(rulings)s::jsonb, %(status)s, %(error)s, %(findings)s, %(amount_fen)s,
  CASE WHEN %(error)s::text IS NULL THEN %(as_of)s::date END,
  CASE WHEN %(error)s::text IS NULL THEN %(known_at)s::timestamptz END,
  CASE WHEN %(error)s::text IS NULL THEN %(position)s::bigint ELSE 0 END,
  %(position)s, %(asked_at)s, %(took_ms)s, %(run)s, %(digest)s)
ON CONFLICT (rule) DO UPDATE SET
  rule_version = excluded.rule_version, rulings = excluded.rulings, status = excluded.status,
  error = excluded.error,
  findings = CASE WHEN excluded.error IS NULL THEN excluded.findings ELSE s.findings END,
  amount_fen = CASE WHEN excluded.error IS NULL THEN excluded.amount_fen ELSE s.amount_fen END,
  as_of = coalesce(excluded.as_of, s.as_of), known_at = coalesce(excluded.known_at, s.known_at),
  position = CASE WHEN excluded.error IS NULL THEN excluded.position ELSE s.position END,
  asked_position = excluded.asked_position, asked_at = excluded.asked_at,
  took_ms = excluded.took_ms, run = excluded.run, digest = excluded.digest
