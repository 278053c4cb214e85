-- 机构: whether a bank or a township is known. A household's township need not be enrolled.
-- role: bank or township; code.
SELECT EXISTS (SELECT FROM ledger.organisation WHERE role = %(role)s AND code = %(code)s)
    OR EXISTS (SELECT FROM facts.loan WHERE %(role)s = 'bank' AND bank = %(code)s)
    OR EXISTS (SELECT FROM facts.household WHERE %(role)s = 'township' AND township = %(code)s)
