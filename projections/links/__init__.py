"""What stands around the loans: ratings, risks told, guarantees, the risk fund, benefit links."""

from __future__ import annotations

from domain.household import Household
from projections.facts.reading import COUNTY, Scope, Table, View, parameters_of
from projections.links.columns import BENEFITS, GUARANTEES, RATINGS, RISK_FUND, RISKS

_RATINGS = """
SELECT DISTINCT ON (h.household_no, r.rater) h.township, h.household_no, r.rater, r.grade, r.score,
       r.effective_on AS rated_on, (%(as_of)s - r.effective_on)::int AS age_days
  FROM facts.standing_rating(%(as_of)s, %(known_at)s) r
  JOIN facts.standing_household(%(as_of)s, %(known_at)s) h USING (household_id)
 WHERE (%(bank)s::text IS NULL OR r.rater = %(bank)s)
   AND (%(township)s::text IS NULL OR h.township = %(township)s)
   AND (%(household_id)s::uuid IS NULL OR h.household_id = %(household_id)s)
 ORDER BY h.household_no, r.rater, r.effective_on DESC, r.of_position DESC
"""
_RISKS = """
SELECT r.risk_no, r.organisation, r.person, r.effective_on AS reported_on, r.household_no, r.bank,
       r.loan_no, r.reason, n.organisation AS noted_by, n.person AS noted_person,
       n.effective_on AS noted_on, (coalesce(n.effective_on, %(as_of)s) - r.effective_on)::int
         AS waited_days, n.measure
  FROM facts.standing_risk(%(as_of)s, %(known_at)s) r
  LEFT JOIN LATERAL (
    SELECT * FROM facts.standing_risk_note(%(as_of)s, %(known_at)s) n
     WHERE n.risk_id = r.risk_id ORDER BY n.of_position LIMIT 1) n ON true
 WHERE %(reader)s::text IS NULL OR r.organisation = %(reader)s OR r.bank = %(reader)s
    OR EXISTS (SELECT FROM facts.standing_household(%(as_of)s, %(known_at)s) h
                WHERE h.household_no = r.household_no AND h.township = %(reader)s)
    OR EXISTS (SELECT FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
                 JOIN facts.standing_guarantee(%(as_of)s, %(known_at)s) g USING (loan_id)
                WHERE l.bank = r.bank AND l.loan_no = r.loan_no AND g.guarantor = %(reader)s)
 ORDER BY r.of_position
"""
_GUARANTEES = """
SELECT l.bank, l.loan_no, l.household_no, g.guarantor, g.amount_fen, g.fee_fen,
       g.effective_on AS guaranteed_on
  FROM facts.standing_guarantee(%(as_of)s, %(known_at)s) g
  JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
 WHERE (%(bank)s::text IS NULL OR l.bank = %(bank)s)
   AND (%(guarantor)s::text IS NULL OR g.guarantor = %(guarantor)s)
 ORDER BY g.of_position
"""
_RISK_FUND = """
SELECT coalesce(sum(amount_fen) FILTER (WHERE counter_account = 'payer'), 0)::bigint,
       coalesce(sum(amount_fen) FILTER (WHERE account = 'compensated'), 0)::bigint,
       coalesce(sum(amount_fen) FILTER (WHERE counter_account = 'recovered'), 0)::bigint,
       (SELECT coalesce(sum(p.amount_fen), 0)::bigint FROM facts.posting p
         WHERE p.account = 'principal' AND p.effective_on <= %(as_of)s
           AND p.recorded_at <= %(known_at)s)
  FROM facts.risk_fund WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
"""
_BENEFITS = """
SELECT d.township, d.agreement_no, d.enterprise, d.household_no,
       sum(d.due_fen) FILTER (WHERE d.due_on <= %(as_of)s)::bigint AS due_fen,
       coalesce(max(p.paid_fen), 0)::bigint AS paid_fen,
       greatest(coalesce(sum(d.due_fen) FILTER (WHERE d.due_on <= %(as_of)s), 0)
                - coalesce(max(p.paid_fen), 0), 0)::bigint AS short_fen,
       min(d.due_on) FILTER (WHERE d.due_on > %(as_of)s) AS next_due_on
  FROM facts.standing_benefit_due(%(as_of)s, %(known_at)s) d
  LEFT JOIN (SELECT benefit_id, household_no, sum(amount_fen) AS paid_fen
               FROM facts.benefit_paid
              WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
              GROUP BY 1, 2) p USING (benefit_id, household_no)
 WHERE (%(township)s::text IS NULL OR d.township = %(township)s)
   AND (%(household_no)s::text IS NULL OR d.household_no = %(household_no)s)
 GROUP BY d.township, d.agreement_no, d.enterprise, d.household_no
 ORDER BY d.agreement_no, d.household_no
"""


def ratings(view: View, *, scope: Scope = COUNTY, household_no: str | None = None) -> Table:
    """The latest rating of each household by each rater, with its age in days."""
    if household_no is None:
        return view.table(RATINGS, _RATINGS, **parameters_of(scope), household_id=None)
    home = Household.id_for(household_no)
    return view.lookup_table(RATINGS, _RATINGS, **parameters_of(scope), household_id=home)


def risks(view: View, *, reader: str | None = None) -> Table:
    """Each risk reported: who took note first, when, and how many days it waited.

    `reader`: the organisation whose own or concerning risks are wanted; None: all.
    """
    return view.table(RISKS, _RISKS, reader=reader)


def guarantees(view: View, *, bank: str | None = None, guarantor: str | None = None) -> Table:
    """Each guarantee that stands, with the fee that by the plan must be nothing."""
    return view.table(GUARANTEES, _GUARANTEES, bank=bank, guarantor=guarantor)


def risk_fund(view: View) -> Table:
    """The fund's sums, and how many times its balance is lent, in basis points."""
    paid_in, compensated, recovered, outstanding = view.query(_RISK_FUND).rows[0]
    balance = paid_in - compensated + recovered
    ratio = outstanding * 10_000 // balance if balance else None
    return Table(RISK_FUND, [(paid_in, compensated, recovered, balance, outstanding, ratio)])


def benefits(view: View, *, scope: Scope = COUNTY, household_no: str | None = None) -> Table:
    """By agreement and household: what fell due, what was paid, what is short."""
    ask = view.table if household_no is None else view.lookup_table
    return ask(BENEFITS, _BENEFITS, township=scope.township, household_no=household_no)
