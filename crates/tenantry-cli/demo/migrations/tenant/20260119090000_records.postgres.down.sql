DROP TABLE records;

DROP FUNCTION guard_record();
