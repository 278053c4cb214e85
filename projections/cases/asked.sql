-- 要求说明: what one organisation is asked, as of a day, as known at an instant, oldest first.
-- as_of, known_at; organisation; case_no (null: all).
SELECT c.case_no, a.request_no, a.effective_on AS asked_on, a.until_on,
       g.effective_on AS explained_on
  FROM facts.standing_case_step(%(as_of)s, %(known_at)s) a
  JOIN facts.standing_case_file(%(as_of)s, %(known_at)s) c USING (case_id)
  LEFT JOIN facts.standing_case_step(%(as_of)s, %(known_at)s) g
         ON g.case_id = a.case_id AND g.step = 'explained' AND g.request_no = a.request_no
 WHERE a.step = 'asked' AND a.asked = %(organisation)s
   AND (%(case_no)s::text IS NULL OR c.case_no = %(case_no)s)
 ORDER BY a.position
