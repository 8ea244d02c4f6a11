-- A recount of the totals (I-13). A full scan: the audit may.
SELECT lane_id & 65535, count(*), sum(state = $done), sum(state = $failed), sum(state = $aborted) FROM tasks
GROUP BY 1;
