-- The unique keys that removed tasks had last go. From index keys_of.
DELETE FROM keys WHERE seq BETWEEN :first AND :last AND uuid IS NULL;
