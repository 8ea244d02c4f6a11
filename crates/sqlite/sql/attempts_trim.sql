-- Forgets the attempts of a task up to one. By primary key.
DELETE FROM attempts WHERE seq = :seq AND n <= :n;
