-- A task is attached to an owner, until it ends. If its number is taken, its add is refused.
INSERT OR IGNORE INTO attached (owner_id, seq) VALUES (:owner_id, :seq);
