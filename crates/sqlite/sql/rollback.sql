-- As if the transaction had never been.
ROLLBACK;
