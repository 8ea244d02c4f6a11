-- Drops the index of an own field.
DROP INDEX {name}
