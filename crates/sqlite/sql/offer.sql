-- What an owner offers from now on; NULL if nothing. Guard: it is registered.
UPDATE owners SET offers = :offers WHERE id = :id;
