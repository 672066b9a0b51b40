-- Tickets and the comments below them. A new comment counts as a change of its ticket.
CREATE TABLE tickets (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    subject VARCHAR(400) NOT NULL,
    body TEXT NOT NULL,
    status VARCHAR(16) NOT NULL DEFAULT 'open',
    priority SMALLINT NOT NULL DEFAULT 3,
    requester_email VARCHAR(320) NOT NULL,
    assignee_email VARCHAR(320),
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    CONSTRAINT tickets_status_check CHECK (status IN ('open', 'waiting', 'solved', 'closed'))
) ENGINE = InnoDB;

CREATE INDEX tickets_status_idx ON tickets (status, created_at);

CREATE TABLE comments (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    ticket_id BIGINT NOT NULL,
    author_email VARCHAR(320) NOT NULL,
    body TEXT NOT NULL,
    is_internal BOOLEAN NOT NULL DEFAULT FALSE,
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    KEY comments_ticket_idx (ticket_id),
    CONSTRAINT comments_ticket_fk FOREIGN KEY (ticket_id) REFERENCES tickets (id) ON DELETE CASCADE
) ENGINE = InnoDB;

CREATE TRIGGER comments_touch_ticket AFTER INSERT ON comments
FOR EACH ROW
BEGIN
    UPDATE tickets SET updated_at = CURRENT_TIMESTAMP(6) WHERE id = NEW.ticket_id;
END;
