-- What each event of the log adds to the facts. One statement a topic: the stored content is
-- parsed once, whatever number of tables it feeds.
-- {told}: the rows to draw from, which `statements.py` makes of one topic in a stretch of the log: every
-- event once with sign +1, and once more with sign -1 and the position of its correction if it
-- was corrected in this stretch.

-- topic: household.registered.v1
WITH home AS (
  SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
    t.originator_id, e.household_no, e.township, e.village, e.category, e.members
  FROM {told} t, json_to_record(t.content) AS e (effective_on date, household_no text,
    township text, village text, category text, members json)
), person AS (
  INSERT INTO member SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
    m ->> 'person', true, m ->> 'relation', coalesce((m ->> 'head')::boolean, false), NULL
  FROM home, json_array_elements(members) m
), category AS (
  INSERT INTO status SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
    category, NULL
  FROM home
)
INSERT INTO household SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
  household_no, township, village,
  (SELECT m ->> 'person' FROM json_array_elements(members) m WHERE (m ->> 'head')::boolean)
FROM home;

-- topic: household.status-changed.v1
INSERT INTO status SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.category, e.reason
FROM {told} t, json_to_record(t.content) AS e (effective_on date, category text, reason text);

-- topic: household.members-changed.v1
WITH home AS (
  SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
    t.originator_id, e.added, e."left"
  FROM {told} t, json_to_record(t.content) AS e (effective_on date, added json, "left" json)
), added AS (
  INSERT INTO member SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
    m ->> 'person', true, m ->> 'relation', coalesce((m ->> 'head')::boolean, false), NULL
  FROM home, json_array_elements(added) m
)
INSERT INTO member SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
  m ->> 'person', false, NULL, false, m ->> 'reason'
FROM home, json_array_elements("left") m;

-- topic: household.demand-recommended.v1
INSERT INTO demand SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, t.organisation, e.amount_fen, e.purpose
FROM {told} t, json_to_record(t.content) AS e (effective_on date, amount_fen bigint,
  purpose text);

-- topic: household.credit-granted.v1
INSERT INTO credit SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.bank, true, e.amount_fen, e.purpose, NULL, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, bank text, amount_fen bigint,
  purpose text);

-- topic: household.credit-refused.v1
INSERT INTO credit SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.bank, false, e.amount_fen, e.purpose, e.reason, e.told_on
FROM {told} t, json_to_record(t.content) AS e (effective_on date, bank text, amount_fen bigint,
  purpose text, reason text, told_on date);

-- topic: loan.disbursed.v1
WITH lent AS (
  SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
    t.originator_id, e.bank, e.loan_no, e.contract_no, e.contract_on, e.household_id,
    e.household_no, e.borrower, e.borrower_age_years, e.principal_fen, e.credited_fen,
    e.annual_rate_bp, e.due_on, e.purpose, e.payee, e.renews_loan_no
  FROM {told} t, json_to_record(t.content) AS e (effective_on date, bank text, loan_no text,
    contract_no text, contract_on date, household_id uuid, household_no text, borrower text,
    borrower_age_years int, principal_fen bigint, credited_fen bigint, annual_rate_bp int,
    due_on date, purpose text, payee text, renews_loan_no text)
), principal AS (
  INSERT INTO posting SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
    'principal', 'bank', sign * principal_fen
  FROM lent
)
INSERT INTO loan SELECT * FROM lent;

-- topic: loan.repaid.v1
INSERT INTO posting SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, leg.account, 'borrower', t.sign * leg.amount_fen
FROM {told} t, json_to_record(t.content) AS e (effective_on date, principal_fen bigint,
  interest_fen bigint, penalty_fen bigint),
  LATERAL (VALUES ('principal', -e.principal_fen), ('interest', e.interest_fen),
                  ('penalty', e.penalty_fen)) AS leg (account, amount_fen)
WHERE leg.amount_fen <> 0;

-- topic: loan.settled.v1
INSERT INTO settlement SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id
FROM {told} t, json_to_record(t.content) AS e (effective_on date);

-- topic: loan.renewed.v1
INSERT INTO renewal SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.by_loan_no
FROM {told} t, json_to_record(t.content) AS e (effective_on date, by_loan_no text);

-- topic: loan.outflow-observed.v1
INSERT INTO outflow SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.amount_fen, e."to", e.kind
FROM {told} t, json_to_record(t.content) AS e (effective_on date, amount_fen bigint, "to" text,
  kind text);

-- topic: loan.extended.v1
INSERT INTO extension SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.agreed_on, e.new_due_on
FROM {told} t, json_to_record(t.content) AS e (effective_on date, agreed_on date,
  new_due_on date);

-- topic: loan.reminded.v1
INSERT INTO reminder SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.kind, e.channel, e.evidence
FROM {told} t, json_to_record(t.content) AS e (effective_on date, kind text, channel text,
  evidence text);

-- topic: loan.usage-checked.v1
INSERT INTO usage_check SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.finding, e.actual_use, e.borrower_met, e.with_bank, e.inspector
FROM {told} t, json_to_record(t.content) AS e (effective_on date, finding text, actual_use text,
  borrower_met boolean, with_bank boolean, inspector text);

-- topic: loan.repayment-plan-agreed.v1
INSERT INTO repayment_plan SELECT t.of_position, t.position, t.recorded_at, e.effective_on,
  t.sign, t.originator_id, (i ->> 'due_on')::date, (i ->> 'amount_fen')::bigint
FROM {told} t, json_to_record(t.content) AS e (effective_on date, instalments json),
  json_array_elements(e.instalments) i;

-- topic: loan.subsidy-paid.v1
WITH paid AS (
  SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
    t.originator_id, e.payment_no, e.period, e.amount_fen, e.due_fen, e.voucher
  FROM {told} t, json_to_record(t.content) AS e (effective_on date, payment_no text,
    period text, amount_fen bigint, due_fen bigint, voucher text)
), line AS (
  INSERT INTO subsidy SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
    payment_no, NULL, period, sign * amount_fen, 0, due_fen, voucher
  FROM paid
)
INSERT INTO posting SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
  'subsidy', 'treasury', sign * amount_fen
FROM paid;

-- topic: loan.subsidy-recovered.v1
WITH recovered AS (
  SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
    t.originator_id, t.ref, e.payment_no, e.period, e.amount_fen, e.voucher
  FROM {told} t, json_to_record(t.content) AS e (effective_on date, payment_no text,
    period text, amount_fen bigint, voucher text)
), line AS (
  INSERT INTO subsidy SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
    payment_no, ref, period, 0, sign * amount_fen, NULL, voucher
  FROM recovered
)
INSERT INTO posting SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
  'subsidy', 'treasury', sign * -amount_fen
FROM recovered;

-- topic: bank-report.scale-reported.v1
INSERT INTO scale_report SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  e.bank, e.period, e.loans, e.households, e.balance_fen, e.disbursed_fen
FROM {told} t, json_to_record(t.content) AS e (effective_on date, bank text, period text,
  loans bigint, households bigint, balance_fen bigint, disbursed_fen bigint);
