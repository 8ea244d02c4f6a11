-- A hold is over before its time. No row changes if it is not there, or has been released. By primary
-- key.
UPDATE holds SET is_released = 1 WHERE id = :id AND is_released = 0;
