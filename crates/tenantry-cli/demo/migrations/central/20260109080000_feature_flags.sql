-- Which feature is on, for which plan, and for how many of its tenants.
CREATE TABLE feature_flags (
    code VARCHAR(64) NOT NULL PRIMARY KEY,
    description VARCHAR(400) NOT NULL,
    rollout_percent INTEGER NOT NULL DEFAULT 0,
    updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT feature_flags_percent_check CHECK (rollout_percent BETWEEN 0 AND 100)
);

CREATE TABLE plan_features (
    plan_code VARCHAR(32) NOT NULL,
    flag_code VARCHAR(64) NOT NULL,
    PRIMARY KEY (plan_code, flag_code),
    CONSTRAINT plan_features_plan_fk FOREIGN KEY (plan_code) REFERENCES plans (code) ON DELETE CASCADE,
    CONSTRAINT plan_features_flag_fk FOREIGN KEY (flag_code) REFERENCES feature_flags (code) ON DELETE CASCADE
);

INSERT INTO feature_flags (code, description, rollout_percent) VALUES
    ('audit_export', 'Download the audit log as a file', 100),
    ('custom_objects', 'Let a tenant define its own objects', 100),
    ('kira', 'The ticket product; sold apart', 50),
    ('nova', 'The tenant''s own dashboards', 10);

INSERT INTO plan_features (plan_code, flag_code)
SELECT plans.code, feature_flags.code
FROM plans
CROSS JOIN feature_flags
WHERE plans.code = 'enterprise'
    OR (plans.code = 'team' AND feature_flags.code <> 'audit_export');
