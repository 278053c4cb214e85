-- Whether a person was ever a member of a household, as known. as_of, known_at; pseudonym.
SELECT 1 WHERE EXISTS (SELECT FROM facts.member m WHERE m.person = %(pseudonym)s
                          AND m.effective_on <= %(as_of)s AND m.recorded_at <= %(known_at)s)
