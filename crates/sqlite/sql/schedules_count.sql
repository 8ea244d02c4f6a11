-- How many schedules there are. The index of ids is counted.
SELECT count(*) FROM schedules;
