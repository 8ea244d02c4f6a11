-- The state of one task, to compare with its last step in the journal (I-13).
SELECT state FROM tasks WHERE seq = :seq;
