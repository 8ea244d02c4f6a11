-- An operation is seen for the first time.
INSERT INTO operations (id, name) VALUES (:id, :name);
