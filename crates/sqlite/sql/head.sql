-- Where the store stands: the facts of its last batch.
SELECT number, seq_next, lane_next, counts FROM batches ORDER BY number DESC LIMIT 1;
