-- The facts have a table and a column more (subsidy_limit, batch_line.note): they are drawn again from
-- the log by the first projector that starts, and nothing is answered from the old ones meanwhile.

UPDATE projection.generation SET live = false WHERE live;
