-- A recount of the totals (I-13). A full scan: the audit may.
SELECT lane_id & 65535,
  sum(state = $blocked),
  sum(state = $delayed),
  sum(state = $paused),
  sum(state = $claimed),
  sum(state = $running),
  sum(state = $ready),
  sum(state = $done),
  sum(state = $failed),
  sum(state = $aborted)
FROM tasks
GROUP BY 1;
