-- The facts: one table a kind of statement, one row a statement (postings: a row a movement).
-- Every table begins with the same five columns:
--   of_position   the event that said it
--   position      the event by which the ledger knows it: the same, or the correction of it
--   recorded_at   when the ledger learnt that
--   effective_on  the civil day it concerns
--   sign          +1 said, -1 taken back; a taken-back row repeats the row it takes back
-- A posting's amount carries the sign in itself, so that any sum at any two dates is one filter:
--   sum(amount_fen) WHERE effective_on <= as_of AND recorded_at <= known_at

CREATE TABLE household (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  household_id uuid NOT NULL, household_no text COLLATE "C" NOT NULL, township text COLLATE "C" NOT NULL,
  village text NOT NULL, head text COLLATE "C"
);
CREATE TABLE status (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  household_id uuid NOT NULL, category text COLLATE "C" NOT NULL, reason text
);
CREATE TABLE member (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  household_id uuid NOT NULL, person text NOT NULL, joined boolean NOT NULL,
  relation text, head boolean NOT NULL, reason text, code text
);
CREATE TABLE look (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  household_id uuid NOT NULL, organisation text COLLATE "C" NOT NULL, role text COLLATE "C" NOT NULL,
  person text NOT NULL
);
CREATE TABLE demand (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  household_id uuid NOT NULL, township text COLLATE "C" NOT NULL, amount_fen bigint NOT NULL,
  purpose text NOT NULL
);
CREATE TABLE credit (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  household_id uuid NOT NULL, bank text COLLATE "C" NOT NULL, granted boolean NOT NULL, amount_fen bigint,
  purpose text NOT NULL, reason text, told_on date
);
CREATE TABLE loan (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  loan_id uuid NOT NULL, bank text COLLATE "C" NOT NULL, loan_no text COLLATE "C" NOT NULL, contract_no text NOT NULL,
  contract_on date NOT NULL, household_id uuid NOT NULL, household_no text COLLATE "C" NOT NULL,
  borrower text COLLATE "C" NOT NULL, borrower_age_years int, principal_fen bigint NOT NULL,
  credited_fen bigint NOT NULL, annual_rate_bp int NOT NULL, due_on date NOT NULL,
  purpose text NOT NULL, payee text COLLATE "C" NOT NULL, renews_loan_no text
);
CREATE TABLE posting (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  loan_id uuid NOT NULL, account text COLLATE "C" NOT NULL, counter_account text COLLATE "C" NOT NULL,
  amount_fen bigint NOT NULL
);
CREATE TABLE extension (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  loan_id uuid NOT NULL, agreed_on date NOT NULL, new_due_on date NOT NULL
);
CREATE TABLE renewal (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  loan_id uuid NOT NULL, by_loan_no text NOT NULL
);
CREATE TABLE settlement (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  loan_id uuid NOT NULL
);
CREATE TABLE outflow (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  loan_id uuid NOT NULL, amount_fen bigint NOT NULL, to_account text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL, from_account text COLLATE "C"
);
CREATE TABLE repayment (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  loan_id uuid NOT NULL, payer text COLLATE "C" NOT NULL, principal_fen bigint NOT NULL,
  interest_fen bigint NOT NULL, penalty_fen bigint NOT NULL
);
CREATE TABLE reminder (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  loan_id uuid NOT NULL, kind text NOT NULL, channel text NOT NULL, evidence text
);
CREATE TABLE usage_check (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  loan_id uuid NOT NULL, finding text COLLATE "C" NOT NULL, actual_use text NOT NULL,
  borrower_met boolean NOT NULL, with_bank boolean NOT NULL, inspector text NOT NULL,
  began_on date
);
CREATE TABLE repayment_plan (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  loan_id uuid NOT NULL, due_on date NOT NULL, amount_fen bigint NOT NULL
);
CREATE TABLE subsidy (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  loan_id uuid NOT NULL, payment_no text COLLATE "C" NOT NULL, recovery_no text, period text COLLATE "C" NOT NULL,
  paid_fen bigint NOT NULL, recovered_fen bigint NOT NULL, due_fen bigint, voucher text NOT NULL,
  batch_no text COLLATE "C", payee text COLLATE "C"
);
CREATE TABLE subsidised (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  loan_id uuid NOT NULL, payment_no text COLLATE "C" NOT NULL, period text COLLATE "C" NOT NULL,
  first date NOT NULL, until date NOT NULL, principal_fen bigint NOT NULL, rate_bp int NOT NULL,
  share_bp int NOT NULL
);
CREATE TABLE subsidy_limit (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  loan_id uuid NOT NULL, batch_no text COLLATE "C" NOT NULL, objection_no text COLLATE "C" NOT NULL,
  lifted boolean NOT NULL, reason text NOT NULL, line int, finding text COLLATE "C",
  period text COLLATE "C", first date, until date, most_fen bigint, others text COLLATE "C"
);
CREATE TABLE ruling (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  number int NOT NULL, rule text COLLATE "C" NOT NULL, value text NOT NULL, document text NOT NULL,
  told_on date NOT NULL, plan_no text
);
CREATE TABLE scale_report (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  bank text COLLATE "C" NOT NULL, period text COLLATE "C" NOT NULL, loans bigint NOT NULL, households bigint NOT NULL,
  balance_fen bigint NOT NULL, disbursed_fen bigint NOT NULL
);
CREATE TABLE batch (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  batch_id uuid NOT NULL, batch_no text COLLATE "C" NOT NULL, estimate boolean NOT NULL,
  period text COLLATE "C" NOT NULL, year int NOT NULL, mode text NOT NULL, bank text, township text,
  seen_position bigint NOT NULL, line_count int NOT NULL, amount_fen bigint NOT NULL,
  recovery_fen bigint NOT NULL
);
CREATE TABLE batch_line (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  batch_id uuid NOT NULL, line int NOT NULL, loan_id uuid NOT NULL, bank text COLLATE "C" NOT NULL,
  loan_no text COLLATE "C" NOT NULL, household_no text COLLATE "C" NOT NULL, township text COLLATE "C" NOT NULL,
  village text NOT NULL, period text COLLATE "C" NOT NULL, kind text COLLATE "C" NOT NULL,
  due_fen bigint NOT NULL, paid_before_fen bigint NOT NULL, amount_fen bigint NOT NULL, note text
);
CREATE TABLE batch_step (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  batch_id uuid NOT NULL, step text COLLATE "C" NOT NULL, person text NOT NULL, level text,
  township text COLLATE "C", place text, until_on date, bank text COLLATE "C", objection_no text,
  line int, upheld boolean, reason text, amount_fen bigint
);
CREATE TABLE batch_line_step (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  batch_id uuid NOT NULL, line int NOT NULL, step text COLLATE "C" NOT NULL, reason text
);
CREATE TABLE fund (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  year int NOT NULL, account text COLLATE "C" NOT NULL, counter_account text COLLATE "C" NOT NULL,
  amount_fen bigint NOT NULL, batch_no text COLLATE "C", voucher text
);
CREATE TABLE transfer (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  year int NOT NULL, payer text COLLATE "C" NOT NULL, payee text COLLATE "C" NOT NULL,
  amount_fen bigint NOT NULL, purpose text NOT NULL, voucher text NOT NULL
);
CREATE TABLE publication (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  publication_no text COLLATE "C" NOT NULL, report text NOT NULL, report_as_of date NOT NULL,
  known_at text NOT NULL, seen_position bigint NOT NULL, rules text NOT NULL,
  row_count int NOT NULL, sha256 text NOT NULL
);
CREATE TABLE rating (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  household_id uuid NOT NULL, rater text COLLATE "C" NOT NULL, grade text NOT NULL, score int
);
CREATE TABLE guarantee (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  loan_id uuid NOT NULL, guarantor text COLLATE "C" NOT NULL, amount_fen bigint NOT NULL,
  fee_fen bigint NOT NULL
);
CREATE TABLE compensation (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  loan_id uuid NOT NULL, loss_fen bigint NOT NULL, share_bp int, amount_fen bigint NOT NULL,
  voucher text NOT NULL
);
CREATE TABLE risk (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  risk_id uuid NOT NULL, risk_no text COLLATE "C" NOT NULL, organisation text COLLATE "C" NOT NULL,
  person text NOT NULL, household_no text COLLATE "C", bank text COLLATE "C", loan_no text COLLATE "C",
  reason text NOT NULL
);
CREATE TABLE risk_note (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  risk_id uuid NOT NULL, organisation text COLLATE "C" NOT NULL, person text NOT NULL,
  measure text NOT NULL
);
CREATE TABLE risk_fund (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  account text COLLATE "C" NOT NULL, counter_account text COLLATE "C" NOT NULL,
  amount_fen bigint NOT NULL, bank text COLLATE "C", loan_no text COLLATE "C", voucher text NOT NULL
);
CREATE TABLE benefit_due (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  benefit_id uuid NOT NULL, agreement_no text COLLATE "C" NOT NULL, enterprise text NOT NULL,
  township text COLLATE "C" NOT NULL, household_no text COLLATE "C" NOT NULL, due_on date NOT NULL,
  kind text COLLATE "C" NOT NULL, due_fen bigint NOT NULL
);
CREATE TABLE benefit_paid (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  benefit_id uuid NOT NULL, agreement_no text COLLATE "C" NOT NULL,
  household_no text COLLATE "C" NOT NULL, kind text COLLATE "C" NOT NULL, amount_fen bigint NOT NULL,
  voucher text NOT NULL
);
CREATE TABLE case_file (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  case_id uuid NOT NULL, case_no text COLLATE "C" NOT NULL, title text NOT NULL,
  office text COLLATE "C" NOT NULL
);
CREATE TABLE case_finding (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  case_id uuid NOT NULL, rule text COLLATE "C" NOT NULL, rule_version text,
  subject text COLLATE "C" NOT NULL, amount_fen bigint NOT NULL, as_of date NOT NULL,
  known_at text NOT NULL, seen_position bigint NOT NULL, known_from text
);
CREATE TABLE case_loan (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  case_id uuid NOT NULL, loan_id uuid NOT NULL, bank text COLLATE "C" NOT NULL,
  loan_no text COLLATE "C" NOT NULL, household_no text COLLATE "C" NOT NULL,
  township text COLLATE "C"
);
CREATE TABLE case_step (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  case_id uuid NOT NULL, step text COLLATE "C" NOT NULL, organisation text COLLATE "C" NOT NULL,
  person text NOT NULL, investigator text, request_no text COLLATE "C", asked text COLLATE "C",
  until_on date, upheld boolean, amount_fen bigint
);
CREATE TABLE same_account (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  written text COLLATE "C" NOT NULL, normal text COLLATE "C" NOT NULL
);
CREATE TABLE case_recovery (
  of_position bigint NOT NULL, position bigint NOT NULL, recorded_at timestamptz NOT NULL,
  effective_on date NOT NULL, sign smallint NOT NULL,
  case_id uuid NOT NULL, recovery text COLLATE "C" NOT NULL, recovered_by text NOT NULL,
  loan_id uuid NOT NULL, payment_no text COLLATE "C", amount_fen bigint NOT NULL
);
