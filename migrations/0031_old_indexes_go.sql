-- What 0028 and 0030 made others for. Each takes a lock against everybody, for a moment: behind a long read it gives way and tries again,
-- and has nothing to make anew.
DROP INDEX requests_create_time;
DROP INDEX allocations_unfinished;
DROP INDEX provider_orders_open;
