-- The lane of each live run of other owners (I-6). A scan of the index live, which holds no more
-- than what runs at once.
SELECT lane_id FROM tasks WHERE state BETWEEN $claimed AND $running AND owner_id <> :owner_id;
