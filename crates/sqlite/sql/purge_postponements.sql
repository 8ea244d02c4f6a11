-- What asked removed tasks back to the queue goes. By primary key.
DELETE FROM postponements WHERE seq BETWEEN :first AND :last;
