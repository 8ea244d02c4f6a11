-- Something is due at a moment. One that stands there already is the same.
INSERT INTO timers (at, kind, ref) VALUES (:at, :kind, :ref) ON CONFLICT DO NOTHING;
