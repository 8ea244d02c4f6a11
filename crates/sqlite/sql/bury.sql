-- A dead owner offers nothing any more. Guard: it offered something.
UPDATE owners SET offers = NULL WHERE id = :id AND offers IS NOT NULL;
