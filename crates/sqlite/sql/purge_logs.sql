-- The log lines of removed tasks go. By primary key.
DELETE FROM logs WHERE seq BETWEEN :first AND :last;
