-- Views for people and programs that look into the file with SQLite itself. Made with a new file.
-- Tables change from version to version; of a view, columns are only added.
--
-- {…} gives way to an expression for words of users, iso(…) to one for a moment as text.

CREATE VIEW tasker_tasks AS
SELECT
  tasks.seq,
  {uuid} AS uuid,
  name AS operation,
  iif(tasks.state = $paused AND tasks.run_id IS NOT NULL, 'running', {status}) AS status,
  {state} AS state,
  priority,
  attempt,
  iso(tasks.created_at) AS created_at,
  iso(tasks.options ->> 'runAt') AS run_at,
  iso(tasks.started_at) AS started_at,
  iso(tasks.ended_at) AS ended_at,
  {cause} AS cause,
  options ->> 'label' AS label,
  options -> 'id' AS id,
  options -> 'tags' AS tags,
  data,
  progress,
  iif(state = $done, outcome, NULL) AS result,
  iif(state = $failed, outcome, NULL) AS error,
  iif(state = $aborted, outcome, NULL) AS abort_reason
FROM tasks JOIN operations ON operations.id = tasks.lane_id & 65535;

-- Those of the history, and that of the row: its last one.
CREATE VIEW tasker_attempts AS
SELECT
  attempts.seq,
  {uuid} AS uuid,
  attempts.attempt,
  iso(attempts.started_at) AS started_at,
  iso(attempts.ended_at) AS ended_at,
  {end} AS ended_as,
  {attempt_cause} AS cause
FROM attempts JOIN tasks ON tasks.seq = attempts.seq
UNION ALL
SELECT
  tasks.seq,
  {uuid},
  tasks.attempt,
  iso(tasks.started_at),
  iso(tasks.ended_at),
  iif(tasks.ended_at IS NULL, NULL, {state}),
  {cause}
FROM tasks WHERE tasks.run_id IS NOT NULL;

CREATE VIEW tasker_logs AS
SELECT
  logs.seq, {uuid} AS uuid, n, logs.attempt, {level} AS level, iso(logs.at) AS at, message, fields
FROM logs JOIN tasks ON tasks.seq = logs.seq;

CREATE VIEW tasker_operations AS
SELECT name AS operation, iso(operations.paused_at) AS paused_at FROM operations;
