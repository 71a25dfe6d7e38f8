-- Customers with an owner, credit and a month that is over, numbered on from what is there; their history is not.
-- Written with triggers off, which is why the chain of each wallet is made by hand.
INSERT INTO bench_due SELECT n, bench_id(), bench_id(), bench_id(), bench_id(), bench_id()
    FROM generate_series(1 + (SELECT count(*) FROM bench_due), :count + (SELECT count(*) FROM bench_due)) n;
INSERT INTO user_account (id, name, email, password_hash, role, language, active, created_at)
    SELECT user_id, 'Person ' || n, 'person' || n || '@bench.example', 'x', 'USER', 'id', true, now() FROM bench_due
    WHERE n > (SELECT count(*) FROM bench_due) - :count;
INSERT INTO customer (id, kind, name, billing_email, created_at)
    SELECT customer_id, 'PERSON', 'Person ' || n, 'person' || n || '@bench.example', now() FROM bench_due
    WHERE n > (SELECT count(*) FROM bench_due) - :count;
INSERT INTO membership (user_id, customer_id, role)
    SELECT user_id, customer_id, 'OWNER' FROM bench_due WHERE n > (SELECT count(*) FROM bench_due) - :count;
INSERT INTO journal_entry (id, kind, idempotency_key, reference_kind, reference_id, happened_at, facts)
    SELECT entry_id, 'OPENING_BALANCE', 'opening:' || customer_id, 'customer', customer_id, now(), '{}' FROM bench_due
    WHERE n > (SELECT count(*) FROM bench_due) - :count;
INSERT INTO ledger_account (id, customer_id, kind, currency, balance, sequence, chain_hash, created_at)
    SELECT account_id, customer_id, 'AVAILABLE', 'IDR', 60000, 1, encode(sha256(convert_to(concat_ws('|', '',
        account_id, 1, entry_id, 60000, 'IDR', 60000), 'UTF8')), 'hex'), now() FROM bench_due
    WHERE n > (SELECT count(*) FROM bench_due) - :count
    UNION ALL SELECT bench_id(), customer_id, kind, 'IDR', 0, 0, '', now() FROM bench_due,
        unnest(ARRAY['HELD', 'RECEIVABLE']) kind WHERE n > (SELECT count(*) FROM bench_due) - :count;
INSERT INTO posting (id, entry_id, account_id, amount, currency, sequence, balance_after, chain_hash)
    SELECT bench_id(), entry_id, account_id, 60000, 'IDR', 1, 60000, chain_hash FROM bench_due JOIN ledger_account a
        ON a.id = account_id WHERE n > (SELECT count(*) FROM bench_due) - :count
    UNION ALL SELECT bench_id(), entry_id, (SELECT id FROM ledger_account WHERE customer_id IS NULL
        AND kind = 'OPENING_BALANCE'), -60000, 'IDR', NULL, NULL, NULL FROM bench_due WHERE n > (SELECT count(*) FROM bench_due) - :count;
INSERT INTO subscription (id, customer_id, service_id, plan_id, status, interval, price, currency, anchor_day,
        started_at, period_number, period_started_at, period_ends_at, due_at, holds_slot, auto_renew, idempotency_key,
        created_at)
    SELECT subscription_id, customer_id, p.service_id, p.id, 'ACTIVE', 'MONTHLY', 25000, 'IDR', 10,
        now() - interval '1 month', 1, now() - interval '1 month', now() - interval '1 minute',
        CASE WHEN :due THEN now() - interval '1 minute' ELSE now() + interval '1 day' END, true, true, 'bench', now()
    FROM bench_due, plan p JOIN service v ON v.id = p.service_id
    WHERE v.slug = 'n8n' AND p.plan_type = 'BASIC' AND n > (SELECT count(*) FROM bench_due) - :count
