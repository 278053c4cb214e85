-- Whether an account appears as where a loan went, as what repaid one, or as where money went on to.
-- as_of, known_at; pseudonym.
SELECT 1 WHERE EXISTS (SELECT FROM facts.outflow o WHERE o.to_account = %(pseudonym)s
                          AND o.effective_on <= %(as_of)s AND o.recorded_at <= %(known_at)s)
            OR EXISTS (SELECT FROM facts.repayment r WHERE r.payer = %(pseudonym)s
                          AND r.effective_on <= %(as_of)s AND r.recorded_at <= %(known_at)s)
            OR EXISTS (SELECT FROM facts.loan l WHERE l.payee = %(pseudonym)s
                          AND l.effective_on <= %(as_of)s AND l.recorded_at <= %(known_at)s)
