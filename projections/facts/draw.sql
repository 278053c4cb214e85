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
    m ->> 'person', true, m ->> 'relation', coalesce((m ->> 'head')::boolean, false), NULL, NULL
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
    m ->> 'person', true, m ->> 'relation', coalesce((m ->> 'head')::boolean, false), NULL, NULL
  FROM home, json_array_elements(added) m
)
INSERT INTO member SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
  m ->> 'person', false, NULL, false, m ->> 'reason', m ->> 'code'
FROM home, json_array_elements("left") m;

-- topic: household.looked-at.v1
INSERT INTO look SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, t.organisation, e.role, e.person
FROM {told} t, json_to_record(t.content) AS e (effective_on date, role text, person text);

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
WITH repaid AS (
  SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
    t.originator_id, e.payer, e.principal_fen, e.interest_fen, e.penalty_fen
  FROM {told} t, json_to_record(t.content) AS e (effective_on date, payer text,
    principal_fen bigint, interest_fen bigint, penalty_fen bigint)
), paid_by AS (
  INSERT INTO repayment SELECT * FROM repaid
)
INSERT INTO posting SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
  leg.account, 'borrower', sign * leg.amount_fen
FROM repaid,
  LATERAL (VALUES ('principal', -principal_fen), ('interest', interest_fen),
                  ('penalty', penalty_fen)) AS leg (account, amount_fen)
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
  t.originator_id, e.amount_fen, e."to", e.kind, e.payer
FROM {told} t, json_to_record(t.content) AS e (effective_on date, amount_fen bigint, "to" text,
  kind text, payer text);

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
  t.originator_id, e.finding, e.actual_use, e.borrower_met, e.with_bank, e.inspector,
  e.began_on
FROM {told} t, json_to_record(t.content) AS e (effective_on date, finding text, actual_use text,
  borrower_met boolean, with_bank boolean, inspector text, began_on date);

-- topic: loan.repayment-plan-agreed.v1
INSERT INTO repayment_plan SELECT t.of_position, t.position, t.recorded_at, e.effective_on,
  t.sign, t.originator_id, (i ->> 'due_on')::date, (i ->> 'amount_fen')::bigint
FROM {told} t, json_to_record(t.content) AS e (effective_on date, instalments json),
  json_array_elements(e.instalments) i;

-- topic: loan.subsidy-paid.v1
WITH paid AS (
  SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
    t.originator_id, e.payment_no, e.period, e.amount_fen, e.due_fen, e.voucher, e.batch_no, e.payee
  FROM {told} t, json_to_record(t.content) AS e (effective_on date, payment_no text,
    period text, amount_fen bigint, due_fen bigint, voucher text, batch_no text, payee text)
), line AS (
  INSERT INTO subsidy SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
    payment_no, NULL, period, sign * amount_fen, 0, due_fen, voucher, batch_no, payee
  FROM paid
)
INSERT INTO posting SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
  'subsidy', 'treasury', sign * amount_fen
FROM paid;

INSERT INTO subsidised SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.payment_no, e.period, s.first, s.until, s.principal_fen, s.rate_bp, s.share_bp
FROM {told} t, json_to_record(t.content) AS e (effective_on date, payment_no text, period text,
  calculation json),
  json_to_recordset(e.calculation -> 'segments') AS s (first date, until date,
  principal_fen bigint, rate_bp int, share_bp int);

-- topic: loan.subsidy-recovered.v1
WITH recovered AS (
  SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
    t.originator_id, t.ref, e.payment_no, e.period, e.amount_fen, e.voucher
  FROM {told} t, json_to_record(t.content) AS e (effective_on date, payment_no text,
    period text, amount_fen bigint, voucher text)
), line AS (
  INSERT INTO subsidy SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
    payment_no, ref, period, 0, sign * amount_fen, NULL, voucher, NULL, NULL
  FROM recovered
)
INSERT INTO posting SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
  'subsidy', 'treasury', sign * -amount_fen
FROM recovered;

-- topic: loan.subsidy-returned.v1
WITH returned AS (
  SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
    t.originator_id, t.ref, e.payment_no, e.period, e.amount_fen, e.voucher, e.batch_no
  FROM {told} t, json_to_record(t.content) AS e (effective_on date, payment_no text,
    period text, amount_fen bigint, voucher text, batch_no text)
), line AS ( -- what came back unspent was not recovered: it takes from what was paid
  INSERT INTO subsidy SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
    payment_no, ref, period, sign * -amount_fen, 0, NULL, voucher, batch_no, NULL
  FROM returned
)
INSERT INTO posting SELECT of_position, position, recorded_at, effective_on, sign, originator_id,
  'subsidy', 'treasury', sign * -amount_fen
FROM returned;

-- topic: loan.subsidy-limited.v1
INSERT INTO subsidy_limit SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.batch_no, e.objection_no, false, e.reason, e.line, e.finding, e.period, e.first,
  e.until, e.most_fen, e.others
FROM {told} t, json_to_record(t.content) AS e (effective_on date, batch_no text, objection_no text,
  reason text, line int, finding text, period text, first date, until date, most_fen bigint,
  others text);

-- topic: loan.subsidy-limit-lifted.v1
INSERT INTO subsidy_limit SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.batch_no, e.objection_no, true, e.reason, NULL, NULL, NULL, NULL, NULL, NULL,
  NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, batch_no text, objection_no text,
  reason text);

-- topic: bank-report.scale-reported.v1
INSERT INTO scale_report SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  e.bank, e.period, e.loans, e.households, e.balance_fen, e.disbursed_fen
FROM {told} t, json_to_record(t.content) AS e (effective_on date, bank text, period text,
  loans bigint, households bigint, balance_fen bigint, disbursed_fen bigint);

-- topic: programme.ruled.v1
INSERT INTO ruling SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  e.number, i ->> 'rule', (i -> 'value')::text, e.document, e.told_on, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, number int, document text,
  told_on date, rulings json), json_array_elements(e.rulings) i;

-- topic: programme.plan-adopted.v1
INSERT INTO ruling SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  e.number, i ->> 'rule', (i -> 'value')::text, e.document, e.told_on, e.plan_no
FROM {told} t, json_to_record(t.content) AS e (effective_on date, number int, document text,
  told_on date, plan_no text, rulings json), json_array_elements(e.rulings) i;

-- topic: programme.plan-adjusted.v1
INSERT INTO ruling SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  e.number, i ->> 'rule', (i -> 'value')::text, e.document, e.told_on, e.plan_no
FROM {told} t, json_to_record(t.content) AS e (effective_on date, number int, document text,
  told_on date, plan_no text, rulings json), json_array_elements(e.rulings) i;

-- topic: batch.estimated.v1
INSERT INTO batch SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.batch_no, true, e.period, e.year, e.mode, e.bank, e.township,
  e.seen_position, e.line_count, e.amount_fen, e.recovery_fen
FROM {told} t, json_to_record(t.content) AS e (effective_on date, batch_no text, period text,
  year int, mode text, bank text, township text, seen_position bigint, line_count int,
  amount_fen bigint, recovery_fen bigint);

-- topic: batch.proposed.v1
INSERT INTO batch SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.batch_no, false, e.period, e.year, e.mode, e.bank, e.township,
  e.seen_position, e.line_count, e.amount_fen, e.recovery_fen
FROM {told} t, json_to_record(t.content) AS e (effective_on date, batch_no text, period text,
  year int, mode text, bank text, township text, seen_position bigint, line_count int,
  amount_fen bigint, recovery_fen bigint);

-- topic: batch.listed.v1
INSERT INTO batch_line SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, l.line, l.loan_id, l.bank, l.loan_no, l.household_no, l.township, l.village,
  l.period, l.kind, l.due_fen, l.paid_before_fen, l.amount_fen, l.note
FROM {told} t, json_to_record(t.content) AS e (effective_on date, lines json),
  json_to_recordset(e.lines) AS l (line int, loan_id uuid, bank text, loan_no text,
    household_no text, township text, village text, period text, kind text, due_fen bigint,
    paid_before_fen bigint, amount_fen bigint, note text);

-- topic: batch.verified.v1
INSERT INTO batch_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'verified', e.person, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text);

-- topic: batch.notice-posted.v1
INSERT INTO batch_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'noticed', e.person, e.level, e.township, e.place, e.until_on, NULL, NULL, NULL, NULL, NULL, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, level text, township text, place text, until_on date);

-- topic: batch.objection-raised.v1
INSERT INTO batch_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'objected', e.person, NULL, NULL, NULL, NULL, NULL, e.objection_no, e.line, NULL, e.reason, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, objection_no text, line int, reason text);

-- topic: batch.objection-resolved.v1
INSERT INTO batch_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'resolved', e.person, NULL, NULL, NULL, NULL, NULL, e.objection_no, e.line, e.upheld, e.reason, e.amount_fen
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, objection_no text, line int, upheld boolean, reason text,
  amount_fen bigint);

-- topic: batch.approved.v1
INSERT INTO batch_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'approved', e.person, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, e.amount_fen
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, amount_fen bigint);

-- topic: batch.returned.v1
INSERT INTO batch_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'returned', e.person, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, e.reason, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, reason text);

-- topic: batch.ordered.v1
WITH told AS (
  SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
    t.originator_id, e.person, e.bank, e.amount_fen, e.lines, e.held
  FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, bank text, amount_fen bigint, lines json, held json)
), ordered AS (
  INSERT INTO batch_line_step SELECT of_position, position, recorded_at, effective_on, sign,
    originator_id, l::text::int, 'ordered', NULL
  FROM told, json_array_elements(lines) l
), held AS (
  INSERT INTO batch_line_step SELECT of_position, position, recorded_at, effective_on, sign,
    originator_id, l.line, 'held', l.reason
  FROM told, json_to_recordset(held) AS l (line int, reason text)
)
INSERT INTO batch_step SELECT of_position, position, recorded_at, effective_on, sign,
  originator_id, 'ordered', person, NULL, NULL, NULL, NULL, bank, NULL, NULL, NULL, NULL, amount_fen
FROM told;

-- topic: batch.result-told.v1
WITH told AS (
  SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
    t.originator_id, e.person, e.bank, e.paid_fen AS amount_fen, e.paid, e.failed
  FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, bank text, paid_fen bigint, paid json, failed json)
), paid AS (
  INSERT INTO batch_line_step SELECT of_position, position, recorded_at, effective_on, sign,
    originator_id, l::text::int, 'paid', NULL
  FROM told, json_array_elements(paid) l
), failed AS (
  INSERT INTO batch_line_step SELECT of_position, position, recorded_at, effective_on, sign,
    originator_id, l.line, 'failed', l.reason
  FROM told, json_to_recordset(failed) AS l (line int, reason text)
)
INSERT INTO batch_step SELECT of_position, position, recorded_at, effective_on, sign,
  originator_id, 'result', person, NULL, NULL, NULL, NULL, bank, NULL, NULL, NULL, NULL, amount_fen
FROM told;

-- topic: batch.result-corrected.v1
WITH told AS (
  SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
    t.originator_id, e.person, e.bank, e.line, e.now, e.amount_fen, e.reason
  FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, bank text, line int,
    now text, amount_fen bigint, reason text)
), line AS (
  INSERT INTO batch_line_step SELECT of_position, position, recorded_at, effective_on, sign,
    originator_id, line, now, reason
  FROM told
)
INSERT INTO batch_step SELECT of_position, position, recorded_at, effective_on, sign,
  originator_id, 'result_corrected', person, NULL, NULL, NULL, NULL, bank, NULL, line, NULL, reason,
  amount_fen
FROM told;

-- topic: fund.allocated.v1
INSERT INTO fund SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  e.year, 'free', 'treasury', t.sign * e.amount_fen, NULL, e.voucher
FROM {told} t, json_to_record(t.content) AS e (effective_on date, year int, amount_fen bigint, voucher text);

-- topic: fund.reserved.v1
INSERT INTO fund SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  e.year, 'reserved', 'free', t.sign * e.amount_fen, e.batch_no, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, year int, amount_fen bigint, batch_no text);

-- topic: fund.released.v1
INSERT INTO fund SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  e.year, 'free', 'reserved', t.sign * e.amount_fen, e.batch_no, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, year int, amount_fen bigint, batch_no text);

-- topic: fund.spent.v1
INSERT INTO fund SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  e.year, 'paid', 'reserved', t.sign * e.amount_fen, e.batch_no, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, year int, amount_fen bigint, batch_no text);

-- topic: fund.spent-unreserved.v1
INSERT INTO fund SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  e.year, 'paid', 'free', t.sign * e.amount_fen, e.batch_no, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, year int, amount_fen bigint, batch_no text);

-- topic: fund.returned.v1
INSERT INTO fund SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  e.year, 'free', 'paid', t.sign * e.amount_fen, e.batch_no, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, year int, amount_fen bigint, batch_no text);

-- topic: fund.transferred.v1
INSERT INTO transfer SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  e.year, e.payer, e.payee, t.sign * e.amount_fen, e.purpose, e.voucher
FROM {told} t, json_to_record(t.content) AS e (effective_on date, year int, payer text, payee text,
  amount_fen bigint, purpose text, voucher text);

-- topic: publication.published.v1
INSERT INTO publication SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  e.publication_no, e.report, e.as_of, e.known_at, e.seen_position, e.rules, e.row_count, e.sha256
FROM {told} t, json_to_record(t.content) AS e (effective_on date, publication_no text, report text,
  as_of date, known_at text, seen_position bigint, rules text, row_count int, sha256 text);

-- topic: household.credit-rated.v1
INSERT INTO rating SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.rater, e.grade, e.score
FROM {told} t, json_to_record(t.content) AS e (effective_on date, rater text, grade text, score int);

-- topic: loan.guaranteed.v1
INSERT INTO guarantee SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.guarantor, e.amount_fen, e.fee_fen
FROM {told} t, json_to_record(t.content) AS e (effective_on date, guarantor text, amount_fen bigint,
  fee_fen bigint);

-- topic: loan.compensated.v1
INSERT INTO compensation SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, t.sign * e.loss_fen, e.share_bp, t.sign * e.amount_fen, e.voucher
FROM {told} t, json_to_record(t.content) AS e (effective_on date, loss_fen bigint, share_bp int,
  amount_fen bigint, voucher text);

-- topic: loan.compensation-recovered.v1
INSERT INTO compensation SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 0, NULL, t.sign * -e.amount_fen, e.voucher
FROM {told} t, json_to_record(t.content) AS e (effective_on date, amount_fen bigint, voucher text);

-- topic: risk.reported.v1
INSERT INTO risk SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.risk_no, t.organisation, e.person, e.household_no, e.bank, e.loan_no, e.reason
FROM {told} t, json_to_record(t.content) AS e (effective_on date, risk_no text, person text,
  household_no text, bank text, loan_no text, reason text);

-- topic: risk.noted.v1
INSERT INTO risk_note SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, t.organisation, e.person, e.measure
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, measure text);

-- topic: risk-fund.paid-in.v1
INSERT INTO risk_fund SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  'fund', 'payer', t.sign * e.amount_fen, NULL, NULL, e.voucher
FROM {told} t, json_to_record(t.content) AS e (effective_on date, amount_fen bigint, voucher text);

-- topic: risk-fund.compensated.v1
INSERT INTO risk_fund SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  'compensated', 'fund', t.sign * e.amount_fen, e.bank, e.loan_no, e.voucher
FROM {told} t, json_to_record(t.content) AS e (effective_on date, amount_fen bigint, bank text,
  loan_no text, voucher text);

-- topic: risk-fund.recovered.v1
INSERT INTO risk_fund SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  'fund', 'recovered', t.sign * e.amount_fen, e.bank, e.loan_no, e.voucher
FROM {told} t, json_to_record(t.content) AS e (effective_on date, amount_fen bigint, bank text,
  loan_no text, voucher text);

-- topic: benefit.signed.v1
INSERT INTO benefit_due SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.agreement_no, e.enterprise, e.township, i.household_no, i.due_on, i.kind,
  i.due_fen
FROM {told} t, json_to_record(t.content) AS e (effective_on date, agreement_no text,
  enterprise text, township text, instalments json),
  json_to_recordset(e.instalments) AS i (household_no text, due_on date, kind text, due_fen bigint);

-- topic: benefit.paid.v1
INSERT INTO benefit_paid SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, e.agreement_no, e.household_no, e.kind, t.sign * e.amount_fen, e.voucher
FROM {told} t, json_to_record(t.content) AS e (effective_on date, agreement_no text,
  household_no text, kind text, amount_fen bigint, voucher text);

-- topic: case.opened.v1
WITH told AS (
  SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign, t.originator_id,
    t.organisation, e.person, e.case_no, e.title, e.office, e.findings, e.loans,
    e.at_stake_fen
  FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, case_no text,
    title text, office text, findings json, loans json, at_stake_fen bigint)
), finding AS (
  INSERT INTO case_finding SELECT of_position, position, recorded_at, effective_on, sign,
    originator_id, f.rule, f.rule_version, f.subject, f.amount_fen, f.as_of, f.known_at,
    f.seen_position, f.known_from
  FROM told, json_to_recordset(findings) AS f (rule text, rule_version text, subject text,
    amount_fen bigint, as_of date, known_at text, seen_position bigint, known_from text)
), loan AS (
  INSERT INTO case_loan SELECT of_position, position, recorded_at, effective_on, sign,
    originator_id, l.loan_id, l.bank, l.loan_no, l.household_no, l.township
  FROM told, json_to_recordset(loans) AS l (loan_id uuid, bank text, loan_no text,
    household_no text, township text)
), file AS (
  INSERT INTO case_file SELECT of_position, position, recorded_at, effective_on, sign,
    originator_id, case_no, title, office
  FROM told
)
INSERT INTO case_step SELECT of_position, position, recorded_at, effective_on, sign,
  originator_id, 'opened', organisation, person, NULL, NULL, NULL, NULL, NULL, at_stake_fen
FROM told;

-- topic: case.joined.v1
WITH told AS (
  SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign, t.originator_id,
    t.organisation, e.person, e.findings, e.loans, e.at_stake_fen
  FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, findings json,
    loans json, at_stake_fen bigint)
), finding AS (
  INSERT INTO case_finding SELECT of_position, position, recorded_at, effective_on, sign,
    originator_id, f.rule, f.rule_version, f.subject, f.amount_fen, f.as_of, f.known_at,
    f.seen_position, f.known_from
  FROM told, json_to_recordset(findings) AS f (rule text, rule_version text, subject text,
    amount_fen bigint, as_of date, known_at text, seen_position bigint, known_from text)
), loan AS (
  INSERT INTO case_loan SELECT of_position, position, recorded_at, effective_on, sign,
    originator_id, l.loan_id, l.bank, l.loan_no, l.household_no, l.township
  FROM told, json_to_recordset(loans) AS l (loan_id uuid, bank text, loan_no text,
    household_no text, township text)
)
INSERT INTO case_step SELECT of_position, position, recorded_at, effective_on, sign,
  originator_id, 'joined', organisation, person, NULL, NULL, NULL, NULL, NULL, at_stake_fen
FROM told;

-- topic: case.assigned.v1
INSERT INTO case_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'assigned', t.organisation, e.person, e.investigator, NULL, NULL, NULL, NULL, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, investigator text);

-- topic: case.explanation-asked.v1
INSERT INTO case_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'asked', t.organisation, e.person, NULL, e.request_no, e.asked, e.until_on, NULL, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, request_no text, asked text, until_on date);

-- topic: case.explanation-given.v1
INSERT INTO case_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'explained', t.organisation, e.person, NULL, e.request_no, NULL, NULL, NULL, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, request_no text);

-- topic: case.noted.v1
INSERT INTO case_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'noted', t.organisation, e.person, NULL, NULL, NULL, NULL, NULL, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text);

-- topic: case.proposed.v1
INSERT INTO case_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'proposed', t.organisation, e.person, NULL, NULL, NULL, NULL, e.upheld, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, upheld boolean);

-- topic: case.upheld.v1
INSERT INTO case_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'upheld', t.organisation, e.person, NULL, NULL, NULL, NULL, NULL, e.amount_fen
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, amount_fen bigint);

-- topic: case.dismissed.v1
INSERT INTO case_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'dismissed', t.organisation, e.person, NULL, NULL, NULL, NULL, NULL, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text);

-- topic: case.rectified.v1
INSERT INTO case_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'rectified', t.organisation, e.person, NULL, NULL, NULL, NULL, NULL, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text);

-- topic: case.closed.v1
INSERT INTO case_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'closed', t.organisation, e.person, NULL, NULL, NULL, NULL, NULL, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text);

-- topic: case.reopened.v1
INSERT INTO case_step SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  t.originator_id, 'reopened', t.organisation, e.person, NULL, NULL, NULL, NULL, NULL, NULL
FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text);

-- topic: case.recovery-linked.v1
WITH told AS (
  SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign, t.originator_id,
    t.organisation, e.person, e.recovery, e.recovered_by, e.loan_id, e.payment_no, e.amount_fen
  FROM {told} t, json_to_record(t.content) AS e (effective_on date, person text, recovery text,
    recovered_by text, loan_id uuid, payment_no text, amount_fen bigint)
), recovery AS (
  INSERT INTO case_recovery SELECT of_position, position, recorded_at, effective_on, sign,
    originator_id, recovery, recovered_by, loan_id, payment_no, amount_fen
  FROM told
)
INSERT INTO case_step SELECT of_position, position, recorded_at, effective_on, sign,
  originator_id, 'recovered', organisation, person, NULL, NULL, NULL, NULL, NULL, amount_fen
FROM told;

-- topic: account-register.unified.v1
INSERT INTO same_account SELECT t.of_position, t.position, t.recorded_at, e.effective_on, t.sign,
  a.written, a.normal
FROM {told} t, json_to_record(t.content) AS e (effective_on date, accounts json),
  json_to_recordset(e.accounts) AS a (written text, normal text);
