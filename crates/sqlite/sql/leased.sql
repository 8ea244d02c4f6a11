-- The tasks that executors outside have, by the end of their leases. From index leases.
SELECT seq FROM outside WHERE lease_until IS NOT NULL ORDER BY lease_until, seq;
