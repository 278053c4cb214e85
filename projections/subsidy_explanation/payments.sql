-- 拨付: what was paid for one loan and quarter, and came back of it, oldest first.
-- as_of, known_at; loan_id, period.
SELECT p.payment_no, p.effective_on AS paid_on, p.recorded_at, p.due_fen, p.paid_fen,
       coalesce(b.recovered_fen, 0)::bigint AS recovered_fen,
       coalesce(b.returned_fen, 0)::bigint AS returned_fen,
       (p.paid_fen - coalesce(b.recovered_fen, 0) - coalesce(b.returned_fen, 0))::bigint AS net_fen,
       p.voucher
  FROM facts.subsidy p
  LEFT JOIN LATERAL (
    SELECT sum(r.recovered_fen) AS recovered_fen, -sum(r.paid_fen) AS returned_fen
      FROM facts.subsidy r
     WHERE r.payment_no = p.payment_no AND r.recovery_no IS NOT NULL
       AND r.effective_on <= %(as_of)s AND r.recorded_at <= %(known_at)s) b ON true
 WHERE p.loan_id = %(loan_id)s::uuid AND p.period = %(period)s AND p.recovery_no IS NULL
   AND p.effective_on <= %(as_of)s AND p.recorded_at <= %(known_at)s
 ORDER BY p.of_position
