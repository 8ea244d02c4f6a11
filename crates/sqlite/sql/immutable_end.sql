-- Debug builds only, this connection only: a second fence behind the guards of the statements
-- (I-3).
CREATE TEMP TRIGGER an_ended_task_never_changes
BEFORE UPDATE ON main.tasks WHEN OLD.state IN ($done, $failed, $aborted)
BEGIN
  SELECT RAISE(ABORT, 'an ended task never changes');
END;
