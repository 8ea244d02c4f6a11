-- What a hold has held up to a number is forgotten. By primary key.
DELETE FROM held WHERE hold = :hold AND seq <= :last;
