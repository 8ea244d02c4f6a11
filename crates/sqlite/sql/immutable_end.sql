-- Debug builds only, this connection only: a second fence behind the guards of the statements
-- (I-3). An ended task may be opened again, and nothing is left of its end then.
CREATE TEMP TRIGGER an_ended_task_never_changes
BEFORE UPDATE ON main.tasks WHEN OLD.state IN ($done, $failed, $aborted)
  AND NOT (NEW.state = $ready AND NEW.run_id IS NULL AND NEW.ended_at IS NULL AND NEW.cause IS NULL AND NEW.outcome IS NULL)
BEGIN
  SELECT RAISE(ABORT, 'an ended task never changes');
END;
