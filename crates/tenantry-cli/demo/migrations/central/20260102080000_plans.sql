-- What the platform sells. Prices are in the smallest unit of the currency.
CREATE TABLE plans (
    code VARCHAR(32) NOT NULL PRIMARY KEY,
    name VARCHAR(120) NOT NULL,
    monthly_price BIGINT NOT NULL,
    currency CHAR(3) NOT NULL,
    seat_limit INTEGER,
    is_sold BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT plans_price_check CHECK (monthly_price >= 0)
);

INSERT INTO plans (code, name, monthly_price, currency, seat_limit) VALUES
    ('starter', 'Starter', 1900, 'EUR', 5),
    ('team', 'Team', 7900, 'EUR', 50),
    ('enterprise', 'Enterprise; priced by contract', 0, 'EUR', NULL);
