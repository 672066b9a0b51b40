-- What the tenant has billed. The ids are the billing service's, hence not counted here.
CREATE TABLE invoices (
    id BIGINT NOT NULL PRIMARY KEY,
    number VARCHAR(40) NOT NULL,
    customer VARCHAR(200) NOT NULL,
    currency CHAR(3) NOT NULL,
    status VARCHAR(16) NOT NULL DEFAULT 'draft',
    issued_on DATE NOT NULL,
    CONSTRAINT invoices_status_check CHECK (status IN ('draft', 'sent', 'paid', 'void'))
);

CREATE TABLE invoice_lines (
    invoice_id BIGINT NOT NULL,
    line INTEGER NOT NULL,
    description VARCHAR(400) NOT NULL,
    quantity INTEGER NOT NULL,
    unit_cents BIGINT NOT NULL,
    PRIMARY KEY (invoice_id, line),
    CONSTRAINT invoice_lines_invoice_fk FOREIGN KEY (invoice_id) REFERENCES invoices (id) ON DELETE CASCADE,
    CONSTRAINT invoice_lines_quantity_check CHECK (quantity > 0)
);
