-- Which findings an event proves is asked by the pages of events, loans and households.
CREATE INDEX ON projection.red_flag_change USING gin (positions);
