"""The columns of ratings, risks, guarantees, the risk fund and benefit agreements."""

from __future__ import annotations

from typing import Final

from projections import columns as c

RATINGS: Final = (
    c.TOWNSHIP,
    c.HOUSEHOLD_NO,
    c.text("rater", "评级机构", "rater"),
    c.text("grade", "等级", "grade"),
    c.count("score", "评分", "score", "points"),
    c.day("rated_on", "评级日", "rated on"),
    c.count("age_days", "距今(天)", "age of the rating", "days"),
)
RISKS: Final = (
    c.identifier("risk_no", "风险编号", "risk number"),
    c.ORGANISATION,
    c.PERSON,
    c.day("reported_on", "上报日", "reported on"),
    c.HOUSEHOLD_NO,
    c.BANK,
    c.LOAN_NO,
    c.REASON,
    c.text("noted_by", "接收机构", "organisation that took note"),
    c.text("noted_person", "接收人", "person who took note"),
    c.day("noted_on", "接收日", "taken note of on"),
    c.WAITED_DAYS,
    c.text("measure", "处置", "measure"),
)
GUARANTEES: Final = (
    c.BANK,
    c.LOAN_NO,
    c.HOUSEHOLD_NO,
    c.text("guarantor", "担保公司", "guarantee company"),
    c.AMOUNT,
    c.fen("fee_fen", "担保费(元)", "guarantee fee"),
    c.day("guaranteed_on", "担保日", "guaranteed on"),
)
RISK_FUND: Final = (
    c.fen("paid_in_fen", "注入(元)", "paid in"),
    c.fen("compensated_fen", "代偿(元)", "compensated"),
    c.RECOVERED,
    c.fen("balance_fen", "余额(元)", "balance of the fund"),
    c.OUTSTANDING,
    c.bp("ratio_bp", "放大倍数(%)", "outstanding to balance"),
)
BENEFITS: Final = (
    c.TOWNSHIP,
    c.AGREEMENT_NO,
    c.ENTERPRISE,
    c.HOUSEHOLD_NO,
    c.DUE,
    c.PAID,
    c.fen("short_fen", "欠付(元)", "short"),
    c.day("next_due_on", "下期应付日", "next due on"),
)
INSTALMENTS: Final = (
    c.TOWNSHIP,
    c.AGREEMENT_NO,
    c.ENTERPRISE,
    c.day("due_on", "应付日", "due on"),
    c.HOUSEHOLD_NO,
    c.several("kinds", "款项", "kinds of payment"),
    c.fen("due_fen", "应付(元)", "due"),
    c.fen("paid_fen", "已付(元)", "paid"),
    c.fen("short_fen", "欠付(元)", "short"),
    c.day("paid_on", "付清日", "paid in full on"),
    c.count("days_late", "晚(天)", "days late", "days"),
    c.STATE,
    c.POSITION,
)
"""An instalment of a benefit agreement to one household."""
