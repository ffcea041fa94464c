-- Converts `webhook_deliveries` into a table that is partitioned by time, in one transaction:
--   psql -v ON_ERROR_STOP=1 -f partitions.sql
-- Run it once, as the owner of the table, after a `DeliveryLog` has been opened. The crate does not run it.
-- A second run replaces the functions and keeps the table. It needs PostgreSQL 13 or later.
BEGIN;
SET LOCAL lock_timeout = '500ms';

-- Returns the first row ID of a time, as `EntryId::first` does. IDs sort by time.
CREATE OR REPLACE FUNCTION webhook_deliveries_first_id(at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT left(millis, 8) || '-' || right(millis, 4) || '-7000-8000-000000000000'
    FROM lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') AS millis
$$;

-- Returns the partitions and their times. The default partition has none.
CREATE OR REPLACE FUNCTION webhook_deliveries_partitions()
    RETURNS TABLE (name regclass, starts_at timestamptz, ends_at timestamptz)
    LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT child.oid::regclass, starts.at, ends.at
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    CROSS JOIN LATERAL pg_get_expr(relpartbound, child.oid) AS bounds
    CROSS JOIN LATERAL (SELECT translate(substring(bounds FROM 'FROM \(''([0-9a-f-]{13})'), '-', '')) AS f (hex)
    CROSS JOIN LATERAL (SELECT translate(substring(bounds FROM 'TO \(''([0-9a-f-]{13})'), '-', '')) AS t (hex)
    CROSS JOIN LATERAL (SELECT to_timestamp(('x' || f.hex)::bit(48)::bigint / 1000.0)) AS starts (at)
    CROSS JOIN LATERAL (SELECT to_timestamp(('x' || t.hex)::bit(48)::bigint / 1000.0)) AS ends (at)
    WHERE inhparent = 'webhook_deliveries'::regclass
    ORDER BY ends.at
$$;

-- Creates the partitions from the end of the last one until `ahead` from now, each for `step`, and returns
-- their number. Days begin at midnight UTC. Rows of the default partition get into their partitions.
CREATE OR REPLACE FUNCTION webhook_deliveries_create_partitions(
    ahead interval DEFAULT '7 days', step interval DEFAULT '1 day'
) RETURNS integer LANGUAGE plpgsql
    SET search_path FROM CURRENT SET timezone = 'UTC' SET lock_timeout = '500ms' AS $$
DECLARE
    today timestamptz := date_trunc('day', now());
    tomorrow timestamptz := today + interval '1 day';
    starts timestamptz;
    first text;
    after text;
    name text;
    is_full boolean;
    created integer := 0;
BEGIN
    IF now() + step <= now() THEN
        RAISE EXCEPTION 'step must be positive';
    END IF;
    IF current_user <> (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'webhook_deliveries'::regclass) THEN
        RAISE EXCEPTION 'only the owner of webhook_deliveries may create partitions, which migrations change';
    END IF;
    -- The lock of pruning, which creating and dropping take, too.
    PERFORM pg_advisory_xact_lock(8247310226515);
    starts := (SELECT max(ends_at) FROM webhook_deliveries_partitions());
    IF starts >= now() + ahead THEN
        RETURN 0;
    END IF;
    -- A weaker lock would let an INSERT route its row to the default partition, and PostgreSQL rejects that row
    -- once it belongs to another partition.
    LOCK TABLE ONLY webhook_deliveries IN ACCESS EXCLUSIVE MODE;
    starts := COALESCE(starts, to_timestamp(0));
    first := webhook_deliveries_first_id(starts);
    after := webhook_deliveries_first_id(tomorrow);
    EXECUTE 'SELECT EXISTS (SELECT FROM webhook_deliveries_default WHERE id >= $1 AND id < $2)'
        INTO is_full USING first, after;
    IF is_full THEN
        -- There was no partition for these rows, and they may be many. The default partition becomes their
        -- partition, and only rows of other times are moved, to a new default partition.
        name := 'webhook_deliveries_p' || to_char(starts, 'YYYYMMDD_HH24MI');
        ALTER TABLE webhook_deliveries DETACH PARTITION webhook_deliveries_default;
        EXECUTE format('ALTER TABLE webhook_deliveries_default RENAME TO %I', name);
        CREATE TABLE webhook_deliveries_default (LIKE webhook_deliveries INCLUDING ALL);
        EXECUTE format(
            'WITH moved AS (DELETE FROM %I WHERE id < %L OR id >= %L RETURNING *)
             INSERT INTO webhook_deliveries_default SELECT * FROM moved', name, first, after);
        EXECUTE format(
            'ALTER TABLE webhook_deliveries ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, first, after);
        ALTER TABLE webhook_deliveries ATTACH PARTITION webhook_deliveries_default DEFAULT;
        starts := tomorrow;
        created := 1;
    ELSE
        starts := greatest(starts, today);
    END IF;
    WHILE starts < now() + ahead LOOP
        name := 'webhook_deliveries_p' || to_char(starts, 'YYYYMMDD_HH24MI');
        first := webhook_deliveries_first_id(starts);
        after := webhook_deliveries_first_id(starts + step);
        EXECUTE format('CREATE TABLE %I (LIKE webhook_deliveries INCLUDING ALL)', name);
        EXECUTE format(
            'WITH moved AS (DELETE FROM webhook_deliveries_default WHERE id >= %L AND id < %L RETURNING *)
             INSERT INTO %I SELECT * FROM moved', first, after, name);
        EXECUTE format(
            'ALTER TABLE webhook_deliveries ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, first, after);
        starts := starts + step;
        created := created + 1;
    END LOOP;
    RETURN created;
END
$$;

-- Drops the partitions that end at or before this time, deletes older rows of the default partition, and
-- returns the number of rows that are gone. The totals stay exact.
CREATE OR REPLACE FUNCTION webhook_deliveries_drop_partitions(before timestamptz)
    RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT SET lock_timeout = '5s' AS $$
DECLARE
    dropped text[] := '{}';
    part text;
    more_rows bigint;
    more_bytes bigint;
    gone_rows bigint := 0;
    gone_bytes bigint := 0;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'counting the rows needs the isolation level READ COMMITTED';
    END IF;
    PERFORM pg_advisory_xact_lock(8247310226515);
    FOR part IN SELECT name::text FROM webhook_deliveries_partitions() WHERE ends_at <= before LOOP
        -- Keeps the count true. Writers of new rows use other partitions and do not wait.
        EXECUTE format('LOCK TABLE %s IN SHARE MODE', part);
        EXECUTE format('SELECT count(*), COALESCE(sum(stored_len), 0) FROM %s', part) INTO more_rows, more_bytes;
        gone_rows := gone_rows + more_rows;
        gone_bytes := gone_bytes + more_bytes;
        dropped := dropped || part;
    END LOOP;
    IF dropped <> '{}' THEN
        -- Deliveries wait behind this lock. Its time limit is below `deadlock_timeout`, so that in a deadlock
        -- this function fails, and no delivery does.
        PERFORM set_config('lock_timeout', '500ms', true);
        LOCK TABLE ONLY webhook_deliveries IN ACCESS EXCLUSIVE MODE;
        EXECUTE 'DROP TABLE ' || array_to_string(dropped, ', ');
    END IF;
    EXECUTE 'WITH gone AS (DELETE FROM webhook_deliveries_default WHERE id < $1 RETURNING stored_len)
        SELECT count(*), COALESCE(sum(stored_len), 0) FROM gone'
        INTO more_rows, more_bytes USING webhook_deliveries_first_id(before);
    gone_rows := gone_rows + more_rows;
    gone_bytes := gone_bytes + more_bytes;
    -- As the triggers do, after the lock on the table, which keeps the order of locks.
    INSERT INTO webhook_deliveries_totals AS total (slot, rows, bytes)
        VALUES (pg_backend_pid() % 64, -gone_rows, -gone_bytes)
        ON CONFLICT (slot) DO UPDATE
        SET rows = total.rows + excluded.rows, bytes = total.bytes + excluded.bytes;
    RETURN gone_rows;
END
$$;

DO $$
DECLARE
    given record;
BEGIN
    -- The lock of the crate's migrations.
    PERFORM pg_advisory_xact_lock(8247310226514);
    IF (SELECT relkind = 'p' FROM pg_class WHERE oid = 'webhook_deliveries'::regclass) THEN
        RETURN;
    END IF;
    IF current_user <> (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'webhook_deliveries'::regclass) THEN
        RAISE EXCEPTION 'only the owner of webhook_deliveries may partition it';
    END IF;
    LOCK TABLE webhook_deliveries IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (
        SELECT FROM pg_depend WHERE refobjid = 'webhook_deliveries'::regclass AND (
            classid IN ('pg_rewrite'::regclass, 'pg_publication_rel'::regclass)
            OR classid = 'pg_constraint'::regclass AND deptype = 'n')
    ) THEN
        RAISE EXCEPTION 'views, publications or foreign keys refer to webhook_deliveries'
            USING HINT = 'Drop them, and create them again afterwards.';
    END IF;
    ALTER TABLE webhook_deliveries RENAME TO webhook_deliveries_default;
    ALTER INDEX webhook_deliveries_pkey RENAME TO webhook_deliveries_default_pkey;
    ALTER INDEX webhook_deliveries_status RENAME TO webhook_deliveries_default_status;
    ALTER INDEX webhook_deliveries_provider RENAME TO webhook_deliveries_default_provider;
    ALTER INDEX webhook_deliveries_tenant RENAME TO webhook_deliveries_default_tenant;
    CREATE TABLE webhook_deliveries (LIKE webhook_deliveries_default INCLUDING ALL EXCLUDING INDEXES)
        PARTITION BY RANGE (id);
    ALTER TABLE webhook_deliveries ADD PRIMARY KEY (id);
    CREATE INDEX webhook_deliveries_status ON webhook_deliveries (status, id);
    CREATE INDEX webhook_deliveries_provider ON webhook_deliveries (provider, status, id);
    CREATE INDEX webhook_deliveries_tenant ON webhook_deliveries (tenant, provider, status, id)
        WHERE tenant IS NOT NULL;
    DROP TRIGGER webhook_deliveries_inserted ON webhook_deliveries_default;
    DROP TRIGGER webhook_deliveries_updated ON webhook_deliveries_default;
    DROP TRIGGER webhook_deliveries_deleted ON webhook_deliveries_default;
    DROP TRIGGER webhook_deliveries_truncated ON webhook_deliveries_default;
    CREATE TRIGGER webhook_deliveries_inserted AFTER INSERT ON webhook_deliveries
        REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION webhook_deliveries_count();
    CREATE TRIGGER webhook_deliveries_updated AFTER UPDATE ON webhook_deliveries
        REFERENCING OLD TABLE AS gone NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION webhook_deliveries_count();
    CREATE TRIGGER webhook_deliveries_deleted AFTER DELETE ON webhook_deliveries
        REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION webhook_deliveries_count();
    CREATE TRIGGER webhook_deliveries_truncated AFTER TRUNCATE ON webhook_deliveries
        FOR EACH STATEMENT EXECUTE FUNCTION webhook_deliveries_count();
    FOR given IN
        SELECT privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS role
        FROM pg_class, aclexplode(relacl) WHERE pg_class.oid = 'webhook_deliveries_default'::regclass
    LOOP
        EXECUTE format('GRANT %s ON webhook_deliveries TO %s', given.privilege_type, given.role);
    END LOOP;
    ALTER TABLE webhook_deliveries ATTACH PARTITION webhook_deliveries_default DEFAULT;
    PERFORM webhook_deliveries_create_partitions();
END
$$;
COMMIT;
