-- A lane is seen for the first time.
INSERT INTO lanes (id, operation) VALUES (:id, :operation);
