-- The ranges of days through which each loan earns; it follows earning.sql. In order of the days.
SELECT loan_id::text, "first", "until", principal_fen, rate_bp, share_bp
  FROM earning WHERE principal_fen > 0
 ORDER BY loan_id, "first"
