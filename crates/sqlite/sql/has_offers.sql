-- Whether an owner offers something.
SELECT count(*) FROM owners WHERE id = :id AND offers IS NOT NULL;
