-- 履职: what the duties of each loan are reckoned from, one line a loan.
-- as_of, known_at; bank, township, village, household_no, loan_no: whose loans (null: all); due_from:
-- without loans of which nothing falls due from that day on (null: all); {guaranteed}: of the
-- guarantor's (see facts/reading.py); {of_them}: what else is read, of these loans alone.
-- Days beside the positions of their events, both in order of the days.
WITH loan AS (
  SELECT l.loan_id, h.township, h.village, l.household_no, l.bank, l.loan_no,
         l.of_position, l.effective_on, l.due_on
    FROM facts.standing_loan(%(as_of)s, %(known_at)s) l
    LEFT JOIN facts.standing_household(%(as_of)s, %(known_at)s) h USING (household_id)
   WHERE {guaranteed} AND (%(bank)s::text IS NULL OR l.bank = %(bank)s)
     AND (%(township)s::text IS NULL OR h.township = %(township)s)
     AND (%(village)s::text IS NULL OR h.village = %(village)s)
     AND (%(household_no)s::text IS NULL OR l.household_no = %(household_no)s)
     AND (%(loan_no)s::text IS NULL OR l.loan_no = %(loan_no)s)
), settled AS (
  SELECT loan_id, max(effective_on) AS settled_on
    FROM facts.standing_settlement(%(as_of)s, %(known_at)s) WHERE {of_them} GROUP BY loan_id
), extended AS (
  SELECT loan_id,
         array_agg(agreed_on ORDER BY effective_on, agreed_on, new_due_on) AS agreed_days,
         array_agg(new_due_on ORDER BY effective_on, agreed_on, new_due_on) AS new_due_days
    FROM facts.standing_extension(%(as_of)s, %(known_at)s) WHERE {of_them} GROUP BY loan_id
), checked AS (
  SELECT loan_id, array_agg(effective_on ORDER BY effective_on, of_position) AS check_days,
         array_agg(of_position ORDER BY effective_on, of_position) AS check_positions
    FROM facts.standing_usage_check(%(as_of)s, %(known_at)s) WHERE {of_them} GROUP BY loan_id
), reminded AS (
  SELECT loan_id, array_agg(effective_on ORDER BY effective_on, of_position) AS reminder_days,
         array_agg(of_position ORDER BY effective_on, of_position) AS reminder_positions,
         array_agg(kind ORDER BY effective_on, of_position) AS reminder_kinds,
         array_agg(channel = 'written' AND evidence IS NOT NULL
                   ORDER BY effective_on, of_position) AS written
    FROM facts.standing_reminder(%(as_of)s, %(known_at)s) WHERE {of_them} GROUP BY loan_id
), planned AS (
  SELECT loan_id, array_agg(effective_on ORDER BY effective_on, of_position) AS plan_days,
         array_agg(of_position ORDER BY effective_on, of_position) AS plan_positions
    FROM (SELECT DISTINCT loan_id, effective_on, of_position
            FROM facts.standing_repayment_plan(%(as_of)s, %(known_at)s) WHERE {of_them}) p
   GROUP BY loan_id
)
SELECT l.township, l.village, l.household_no, l.bank, l.loan_no, l.of_position AS opened_by,
       l.effective_on AS disbursed_on, l.due_on, s.settled_on,
       e.agreed_days, e.new_due_days, c.check_days, c.check_positions,
       r.reminder_days, r.reminder_positions, r.reminder_kinds, r.written,
       p.plan_days, p.plan_positions
  FROM loan l
  LEFT JOIN settled s USING (loan_id)
  LEFT JOIN extended e USING (loan_id)
  LEFT JOIN checked c USING (loan_id)
  LEFT JOIN reminded r USING (loan_id)
  LEFT JOIN planned p USING (loan_id)
 WHERE %(due_from)s::date IS NULL OR s.settled_on IS NULL OR s.settled_on >= %(due_from)s
    OR l.due_on >= %(due_from)s
