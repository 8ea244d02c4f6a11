-- What executors had of removed tasks goes. By primary key.
DELETE FROM outside WHERE seq BETWEEN :first AND :last;
