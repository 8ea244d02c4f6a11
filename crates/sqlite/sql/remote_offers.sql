-- What each other owner offers, living or dead, by number. There are as many rows as open handles.
SELECT id, offers FROM owners WHERE id <> :own_id AND offers IS NOT NULL ORDER BY id;
