-- In a copy: no owner of the database has this one open, so each gets the name of a lock file that
-- is nobody's.
UPDATE owners SET lock_file = :prefix || lower(hex(randomblob(8)));
