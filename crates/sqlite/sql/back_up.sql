-- Writes the database as this transaction sees it into a new file, without holes. The file may be
-- there already if it is empty.
VACUUM INTO :path;
