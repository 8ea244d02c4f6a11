-- A turn takes the write lock.
BEGIN IMMEDIATE;
