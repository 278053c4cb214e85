SELECT s.bank || ' ' || s.period AS subject,
       greatest(s.ledger_fen - s.reported_fen, 0) AS amount_fen,
       CASE WHEN s.then_loans > s.reported_loans THEN ARRAY[s.of_position]
            ELSE array_remove(ARRAY[s.of_position, s.next_position], NULL) END AS positions
  FROM scale s
 WHERE s.ledger_loans > s.reported_loans
