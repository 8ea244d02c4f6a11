-- A hold of which nothing is left goes. By primary key.
DELETE FROM holds WHERE id = :id;
