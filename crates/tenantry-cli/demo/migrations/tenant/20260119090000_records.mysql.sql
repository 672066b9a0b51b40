-- The tenant's data. One table for all kinds; the fields of a record are one JSON object.
CREATE TABLE records (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    object_name VARCHAR(64) NOT NULL,
    owner_id BIGINT,
    data JSON NOT NULL DEFAULT (JSON_OBJECT()),
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
    CONSTRAINT records_object_fk FOREIGN KEY (object_name) REFERENCES object_definitions (api_name),
    CONSTRAINT records_owner_fk FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT records_data_check CHECK (JSON_TYPE(data) = 'OBJECT')
) ENGINE = InnoDB;

CREATE INDEX records_object_idx ON records (object_name, created_at);

CREATE TRIGGER records_guard BEFORE UPDATE ON records
FOR EACH ROW
BEGIN
    IF NEW.object_name <> OLD.object_name THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a record keeps its kind; make a new one';
    END IF;
END;
