-- What each event of the log adds to the facts. One statement a topic and table.
-- {after}, {until}: the positions drawn, (after, until]. {told}: the rows to draw from, which
-- `draw.py` makes of one topic: every event once with sign +1, and once more with sign -1 and
-- the position of its correction if it was corrected in this stretch of the log.

-- topic: household.registered.v1
INSERT INTO household SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.household_no, e.township, e.village,
  (SELECT m ->> 'person' FROM jsonb_array_elements(e.members) m WHERE (m ->> 'head')::boolean)
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, household_no text,
  township text, village text, members jsonb);

-- topic: household.registered.v1
INSERT INTO status SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.category, NULL
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, category text);

-- topic: household.status-changed.v1
INSERT INTO status SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.category, e.reason
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, category text, reason text);

-- topic: household.registered.v1
INSERT INTO member SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, m ->> 'person', true, m ->> 'relation',
  coalesce((m ->> 'head')::boolean, false), NULL
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, members jsonb),
  jsonb_array_elements(e.members) m;

-- topic: household.members-changed.v1
INSERT INTO member SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, m ->> 'person', true, m ->> 'relation',
  coalesce((m ->> 'head')::boolean, false), NULL
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, added jsonb),
  jsonb_array_elements(e.added) m;

-- topic: household.members-changed.v1
INSERT INTO member SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, m ->> 'person', false, NULL, false, m ->> 'reason'
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, "left" jsonb),
  jsonb_array_elements(e."left") m;

-- topic: household.demand-recommended.v1
INSERT INTO demand SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, t.organisation, e.amount_fen, e.purpose
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, amount_fen bigint,
  purpose text);

-- topic: household.credit-granted.v1
INSERT INTO credit SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.bank, true, e.amount_fen, e.purpose, NULL, NULL
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, bank text, amount_fen bigint,
  purpose text);

-- topic: household.credit-refused.v1
INSERT INTO credit SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.bank, false, e.amount_fen, e.purpose, e.reason, e.told_on
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, bank text, amount_fen bigint,
  purpose text, reason text, told_on date);

-- topic: loan.disbursed.v1
INSERT INTO loan SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.bank, e.loan_no, e.contract_no, e.contract_on, e.household_id,
  e.household_no, e.borrower, e.borrower_age_years, e.principal_fen, e.credited_fen,
  e.annual_rate_bp, e.due_on, e.purpose, e.payee, e.renews_loan_no
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, bank text, loan_no text,
  contract_no text, contract_on date, household_id uuid, household_no text, borrower text,
  borrower_age_years int, principal_fen bigint, credited_fen bigint, annual_rate_bp int,
  due_on date, purpose text, payee text, renews_loan_no text);

-- topic: loan.disbursed.v1
INSERT INTO posting SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'principal', 'bank', t.sign * e.principal_fen
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, principal_fen bigint);

-- topic: loan.repaid.v1
INSERT INTO posting SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, leg.account, 'borrower', t.sign * leg.amount_fen
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, principal_fen bigint,
  interest_fen bigint, penalty_fen bigint),
  LATERAL (VALUES ('principal', -e.principal_fen), ('interest', e.interest_fen),
                  ('penalty', e.penalty_fen)) AS leg (account, amount_fen)
WHERE leg.amount_fen <> 0;

-- topic: loan.settled.v1
INSERT INTO settlement SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date);

-- topic: loan.renewed.v1
INSERT INTO renewal SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.by_loan_no
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, by_loan_no text);

-- topic: loan.outflow-observed.v1
INSERT INTO outflow SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.amount_fen, e."to", e.kind
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, amount_fen bigint, "to" text,
  kind text);

-- topic: loan.extended.v1
INSERT INTO extension SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.agreed_on, e.new_due_on
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, agreed_on date,
  new_due_on date);

-- topic: loan.reminded.v1
INSERT INTO reminder SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.kind, e.channel, e.evidence
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, kind text, channel text,
  evidence text);

-- topic: loan.usage-checked.v1
INSERT INTO usage_check SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.finding, e.actual_use, e.borrower_met, e.with_bank, e.inspector
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, finding text, actual_use text,
  borrower_met boolean, with_bank boolean, inspector text);

-- topic: loan.repayment-plan-agreed.v1
INSERT INTO repayment_plan SELECT t.of_position, t.position, t.recorded_at, e.effective_on,
  t.sign, t.originator_id, (i ->> 'due_on')::date, (i ->> 'amount_fen')::bigint
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, instalments jsonb),
  jsonb_array_elements(e.instalments) i;

-- topic: loan.subsidy-paid.v1
INSERT INTO subsidy SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.payment_no, NULL, e.period, t.sign * e.amount_fen, 0, e.due_fen, e.voucher
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, payment_no text, period text,
  amount_fen bigint, due_fen bigint, voucher text);

-- topic: loan.subsidy-paid.v1
INSERT INTO posting SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'subsidy', 'treasury', t.sign * e.amount_fen
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, amount_fen bigint);

-- topic: loan.subsidy-recovered.v1
INSERT INTO subsidy SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.payment_no, t.ref, e.period, 0, t.sign * e.amount_fen, NULL, e.voucher
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, payment_no text, period text,
  amount_fen bigint, voucher text);

-- topic: loan.subsidy-recovered.v1
INSERT INTO posting SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'subsidy', 'treasury', t.sign * -e.amount_fen
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, amount_fen bigint);

-- topic: bank-report.scale-reported.v1
INSERT INTO scale_report SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  e.bank, e.period, e.loans, e.households, e.balance_fen, e.disbursed_fen
FROM {told} t, jsonb_to_record(t.content) AS e (effective_on date, bank text, period text,
  loans bigint, households bigint, balance_fen bigint, disbursed_fen bigint);
