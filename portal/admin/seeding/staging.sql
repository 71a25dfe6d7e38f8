CREATE TEMP TABLE seed_person (n bigint, user_id uuid, customer_id uuid, available_id uuid, held_id uuid,
    receivable_id uuid, name text, email text, created_at timestamptz, balance bigint, sequence bigint, head text)
    ON COMMIT DROP;
CREATE TEMP TABLE seed_subscribed (id uuid, customer_id uuid, plan_id uuid, service_id uuid, "interval" text, price bigint,
    name text, started_at timestamptz, anchor_day int, begins_at timestamptz, ends_at timestamptz, number int, status text,
    grace_ends_at timestamptz, suspended_at timestamptz, kept_until timestamptz, ended_at timestamptz, end_reason text)
    ON COMMIT DROP;
CREATE TEMP TABLE seed_line (kind text, at timestamptz, customer_id uuid, account_id uuid, reference_id uuid,
    amount bigint, ppn bigint, entry_id uuid, sequence bigint, before bigint, after bigint, chain_hash text,
    subscription_id uuid, number int, begins_at timestamptz, ends_at timestamptz, setup_fee bigint, method text)
    ON COMMIT DROP;
CREATE TEMP TABLE seed_short (subscription_id uuid, number int, amount bigint, missing bigint, at timestamptz)
    ON COMMIT DROP;
-- An id that follows from another and is of the same moment.
CREATE OR REPLACE FUNCTION pg_temp.derived(base uuid, salt text) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$ SELECT (left(base\:\:text, 15) || left(md5(base\:\:text || salt), 19))\:\:uuid $$
