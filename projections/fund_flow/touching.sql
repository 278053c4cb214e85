-- The movements that touch some nodes, or are of one loan or kind; in the order of days and log.
-- nodes: ids of nodes (null: any); bank, loan_no: of this loan (null: any); kind: (null: any).
SELECT * FROM (
  SELECT kind, concat_ws(':', from_kind, from_name) AS source, 'account:' || via AS via,
         concat_ws(':', to_kind, to_name) AS target, amount_fen, effective_on, position, bank,
         loan_no, household_no, receiver
    FROM movement) m
 WHERE (%(nodes)s::text[] IS NULL OR source = ANY(%(nodes)s) OR target = ANY(%(nodes)s)
        OR via = ANY(%(nodes)s))
   AND (%(loan_no)s::text IS NULL OR (bank = %(bank)s AND loan_no = %(loan_no)s))
   AND (%(kind)s::text IS NULL OR kind = %(kind)s)
 ORDER BY effective_on, position, kind
