DROP TABLE list_views;

DROP TABLE layouts;
