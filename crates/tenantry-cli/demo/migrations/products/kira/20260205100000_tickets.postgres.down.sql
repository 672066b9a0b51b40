DROP TABLE comments;

DROP FUNCTION touch_ticket();

DROP TABLE tickets;
