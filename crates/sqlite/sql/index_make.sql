-- Makes the index of an own field. Only functions of SQLite, so that any program can write the table.
CREATE INDEX {name} ON tasks ({expression}) WHERE {condition}
