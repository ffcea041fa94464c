-- Times are milliseconds since 1970. An ID is a UUID of version 7, so IDs sort by time.
CREATE TABLE webhook_deliveries (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    received_at BIGINT NOT NULL,
    processed_at BIGINT,
    processing_ms BIGINT,
    stored_len BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    tenant TEXT COLLATE "C",
    event_name TEXT,
    method TEXT NOT NULL,
    url TEXT NOT NULL,
    verified BOOLEAN NOT NULL,
    http_status BIGINT,
    reason TEXT,
    message TEXT,
    ip TEXT,
    user_agent TEXT,
    request_id TEXT,
    delivery_id TEXT,
    key_index BIGINT,
    count BIGINT,
    body_len BIGINT,
    body_sha256 BYTEA,
    headers TEXT NOT NULL,
    payload_truncated BOOLEAN NOT NULL,
    payload BYTEA
);
-- Each index ends with the ID, so that the newest rows of a status, a provider or a tenant are adjacent.
CREATE INDEX webhook_deliveries_status ON webhook_deliveries (status, id);
CREATE INDEX webhook_deliveries_provider ON webhook_deliveries (provider, status, id);
CREATE INDEX webhook_deliveries_tenant ON webhook_deliveries (tenant, provider, status, id) WHERE tenant IS NOT NULL;
-- Exact totals, so that pruning need not count rows. The totals are the sums over all slots. Server processes
-- use different slots, modulo 64, so that they seldom wait for each other.
CREATE TABLE webhook_deliveries_totals (
    slot INTEGER NOT NULL PRIMARY KEY,
    rows BIGINT NOT NULL,
    bytes BIGINT NOT NULL
) WITH (fillfactor = 50);
CREATE FUNCTION webhook_deliveries_count() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    more_rows BIGINT := 0;
    more_bytes BIGINT := 0;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM webhook_deliveries_totals;
        RETURN NULL;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        SELECT COUNT(*), COALESCE(SUM(stored_len), 0) INTO more_rows, more_bytes FROM added;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT more_rows - COUNT(*), more_bytes - COALESCE(SUM(stored_len), 0)
            INTO more_rows, more_bytes FROM gone;
    END IF;
    IF more_rows <> 0 OR more_bytes <> 0 THEN
        INSERT INTO webhook_deliveries_totals AS total (slot, rows, bytes)
            VALUES (pg_backend_pid() % 64, more_rows, more_bytes)
            ON CONFLICT (slot) DO UPDATE
            SET rows = total.rows + excluded.rows, bytes = total.bytes + excluded.bytes;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER webhook_deliveries_inserted AFTER INSERT ON webhook_deliveries
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION webhook_deliveries_count();
CREATE TRIGGER webhook_deliveries_updated AFTER UPDATE ON webhook_deliveries
    REFERENCING OLD TABLE AS gone NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION webhook_deliveries_count();
CREATE TRIGGER webhook_deliveries_deleted AFTER DELETE ON webhook_deliveries
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION webhook_deliveries_count();
CREATE TRIGGER webhook_deliveries_truncated AFTER TRUNCATE ON webhook_deliveries
    FOR EACH STATEMENT EXECUTE FUNCTION webhook_deliveries_count();
