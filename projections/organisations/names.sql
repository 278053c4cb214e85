-- The names of all organisations (机构名称), by code.
SELECT code, name FROM ledger.organisation ORDER BY code
