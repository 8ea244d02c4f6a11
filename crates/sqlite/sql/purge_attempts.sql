-- The history of removed tasks goes. By primary key.
DELETE FROM attempts WHERE seq BETWEEN :first AND :last;
