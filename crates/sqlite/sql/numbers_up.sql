-- The tasks in a bounded stretch of sequence numbers that may match: state by mask, operation, priority
-- and times by bounds. Only ever selects too many; the matcher decides. By row id.
FROM tasks
WHERE seq BETWEEN :first AND :last
  AND (:states >> state) & 1
  AND (lane_id & 65535) BETWEEN :operation_first AND :operation_last
  AND priority BETWEEN :priority_low AND :priority_high
  AND created_at BETWEEN :created_low AND :created_high
  AND (:started_low IS NULL OR started_at BETWEEN :started_low AND :started_high)
  AND (:ended_low IS NULL OR ended_at BETWEEN :ended_low AND :ended_high)
ORDER BY seq;
