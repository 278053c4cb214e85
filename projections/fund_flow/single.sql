-- The single edges, each with its event, in the order of the log.
-- source, target, node: an id or a kind of node: where from, where to, either (null: any);
-- kind, year, household_no, bank, loan_no: of these (null: any); after: the number of the edge before this page (null: from the
-- beginning); most: how many (null: all).
SELECT s.edge_no, s.position, s.kind, s."from", s."to", s.amount_fen, s.effective_on, s.recorded_at,
       s.bank, s.loan_no, s.household_no, s.batch_no, s.receiver,
       l.originator_id || '.' || l.originator_version AS event_id
  FROM (
    SELECT e.*, position * 4 + step AS edge_no, concat_ws(':', from_kind, from_name) AS "from", concat_ws(':', to_kind, to_name) AS "to"
      FROM edge e
     WHERE (%(kind)s::text IS NULL OR kind = %(kind)s)
       AND (%(year)s::int IS NULL OR extract(year FROM effective_on)::int = %(year)s)
       AND (%(household_no)s::text IS NULL OR household_no = %(household_no)s)
       AND (%(bank)s::text IS NULL OR bank = %(bank)s)
       AND (%(loan_no)s::text IS NULL OR loan_no = %(loan_no)s)
       AND (%(after)s::bigint IS NULL OR position * 4 + step > %(after)s)
  ) s JOIN ledger.event l USING (position)
 WHERE (%(source)s::text IS NULL OR %(source)s IN (s.from_kind, s."from"))
   AND (%(target)s::text IS NULL OR %(target)s IN (s.to_kind, s."to"))
   AND (%(node)s::text IS NULL OR %(node)s IN (s.from_kind, s."from", s.to_kind, s."to"))
 ORDER BY s.edge_no
 LIMIT %(most)s
