-- A schedule goes. No row changes if it has another version. By primary key.
DELETE FROM schedules WHERE no = :no AND version = :version;
