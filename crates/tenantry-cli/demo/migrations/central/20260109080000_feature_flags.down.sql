DROP TABLE plan_features;

DROP TABLE feature_flags;
