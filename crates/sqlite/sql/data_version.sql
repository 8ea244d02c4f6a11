-- A number that changes when another connection has committed. Our own commits leave it.
PRAGMA data_version;
