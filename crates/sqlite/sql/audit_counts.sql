-- A recount of the states, to compare with the counters (I-13). A full scan: the audit may.
SELECT state, count(*) FROM tasks GROUP BY state;
