-- Every lane. There are as many as operations, so reading all is cheap.
SELECT id, operation FROM lanes ORDER BY id;
