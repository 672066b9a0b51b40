DROP TABLE object_definitions;
