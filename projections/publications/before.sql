-- The edition of a report that went out before another one.
-- report; no: the number of the other one.
SELECT publication_no FROM facts.publication
 WHERE report = %(report)s
   AND position < (SELECT position FROM facts.publication WHERE publication_no = %(no)s)
 ORDER BY position DESC LIMIT 1
