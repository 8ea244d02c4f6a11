-- What asked for the abort of removed tasks goes. By primary key.
DELETE FROM aborts WHERE seq BETWEEN :first AND :last;
