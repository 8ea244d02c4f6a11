-- A task depends on another one. Each pair is named once.
INSERT INTO waits (dependency, is_met, dependent) VALUES (:dependency, :is_met, :dependent);
