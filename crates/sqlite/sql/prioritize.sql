-- A waiting task gets another priority. No row changes if it is not in the state in which it is to
-- wait: ready, or delayed. Moves within index ready or unqueued.
UPDATE tasks SET priority = :priority WHERE seq = :seq AND state = :state;
