-- The first tasks that are attached to an owner, by number. From the primary key.
SELECT seq FROM attached WHERE owner_id = :owner_id ORDER BY seq LIMIT :max;
