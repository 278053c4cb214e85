"""The columns of batches (贴息批次), their lines and steps, the notice and the payment order."""

from __future__ import annotations

from typing import Final

from projections import columns as c

BATCHES: Final = (
    c.BATCH_NO,
    c.PERIOD,
    c.YEAR,
    c.text("mode", "拨付方式", "paid to bank or household"),
    c.BANK,
    c.TOWNSHIP,
    c.STAGE,
    c.day("proposed_on", "提出日", "proposed on"),
    c.day("verified_on", "核实日", "verified on"),
    c.day("noticed_until_on", "公示至", "public notice until"),
    c.day("approved_on", "批准日", "approved on"),
    c.day("returned_on", "退回日", "returned on"),
    c.count("objections_open", "未处理异议", "objections not resolved", "objections"),
    c.count("late_notices", "迟报公示", "notices reported late", "notices"),
    c.count("lines", "行数", "lines", "lines"),
    c.AMOUNT,
    c.fen("recovery_fen", "应追回(元)", "to be asked back"),
    c.fen("withdrawn_fen", "撤下(元)", "withdrawn"),
    c.fen("held_fen", "暂缓(元)", "held"),
    c.fen("ordered_fen", "已下指令(元)", "ordered"),
    c.fen("failed_fen", "拨付失败(元)", "failed"),
    c.RETURNED,
    c.PAID,
    c.SEEN_POSITION,
    c.POSITION,
)
LINES: Final = (
    c.LINE,
    c.TOWNSHIP,
    c.VILLAGE,
    c.HOUSEHOLD_NO,
    c.BANK,
    c.LOAN_NO,
    c.PERIOD,
    c.KIND,
    c.DUE,
    c.fen("paid_before_fen", "此前已拨(元)", "paid before"),
    c.AMOUNT,
    c.NOTE,
    c.STATE,
    c.REASON,
    c.PURPOSE,
    c.PRINCIPAL,
    c.ANNUAL_RATE,
    c.DISBURSED_ON,
    c.DUE_ON,
    c.BORROWER,
    c.LOAN_ID,
)
STEPS: Final = (
    c.text("step", "步骤", "step"),
    c.EFFECTIVE_ON,
    c.RECORDED_AT,
    c.PERSON,
    c.text("level", "公示层级", "level of the notice"),
    c.TOWNSHIP,
    c.text("place", "公示地点", "place of the notice"),
    c.day("until_on", "公示至", "public notice until"),
    c.BANK,
    c.identifier("objection_no", "异议编号", "objection number"),
    c.LINE,
    c.flag("upheld", "异议成立", "objection upheld"),
    c.REASON,
    c.AMOUNT,
    c.POSITION,
    c.DOCUMENT,
    c.flag("reported_late", "事后报送", "reported after it began"),
)
NOTICE: Final = (
    c.LINE,
    c.BORROWER_NAME,
    c.PURPOSE,
    c.PRINCIPAL,
    c.DISBURSED_ON,
    c.DUE_ON,
    c.ANNUAL_RATE,
)
"""What a public notice shows of a line, and nothing more."""
PAYMENT_ORDER: Final = (
    c.BATCH_NO,
    c.LINE,
    c.LOAN_NO,
    c.HOUSEHOLD_NO,
    c.PERIOD,
    c.text("payee_name", "收款户名", "payee's name"),
    c.text("payee_account", "收款账号", "payee's account number"),
    c.AMOUNT,
    c.text("result", "结果", "result"),
    c.VOUCHER,
    c.REASON,
)
"""The last three are for the bank to fill in."""
