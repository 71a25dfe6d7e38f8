-- The least SQL that writes what a renewal writes: every row and column, for those of `bench_due` from :first to :last.
WITH due AS MATERIALIZED (
    SELECT s.id AS subscription_id, s.customer_id, s.price, s.interval, s.period_number + 1 AS number,
           s.period_ends_at AS begins_at, s.period_ends_at + interval '1 month' AS ends_at, s.plan_id,
           a.id AS account_id, a.balance, a.sequence + 1 AS sequence, a.chain_hash,
           v.name AS app, p.name AS plan, c.name, c.billing_email, c.number AS customer_number,
           (SELECT u.language FROM user_account u JOIN membership m ON m.user_id = u.id
            WHERE m.customer_id = c.id AND m.role = 'OWNER' ORDER BY u.created_at LIMIT 1) AS language,
           bench_id() AS charge_id, bench_id() AS entry_id, bench_id() AS document_id,
           round(s.price * 132.0 / 1332)::bigint AS ppn, now() AS now
    FROM bench_due d JOIN subscription s ON s.id = d.subscription_id
    JOIN ledger_account a ON a.customer_id = s.customer_id AND a.kind = 'AVAILABLE'
    JOIN customer c ON c.id = s.customer_id
    JOIN plan p ON p.id = s.plan_id JOIN service v ON v.id = s.service_id
    WHERE d.n BETWEEN :first AND :last AND a.balance >= s.price
    FOR NO KEY UPDATE OF c, s, a
), chained AS MATERIALIZED (
    SELECT due.*, encode(sha256(convert_to(concat_ws('|', chain_hash, account_id, sequence, entry_id, -price, 'IDR',
           balance - price), 'UTF8')), 'hex') AS head
    FROM due
), income AS (
    SELECT (SELECT id FROM ledger_account WHERE customer_id IS NULL AND kind = 'REVENUE') AS revenue,
           (SELECT id FROM ledger_account WHERE customer_id IS NULL AND kind = 'PPN_PAYABLE') AS payable
), entry AS (
    INSERT INTO journal_entry (id, kind, idempotency_key, reference_kind, reference_id, happened_at, facts)
    SELECT entry_id, 'PURCHASE', 'charge:' || subscription_id || ':' || number, 'subscription_charge', charge_id, now,
           '{}' FROM due
), sides AS (
    INSERT INTO posting (id, entry_id, account_id, amount, currency, sequence, balance_after, chain_hash)
    SELECT bench_id(), entry_id, account_id, -price, 'IDR', sequence, balance - price, head FROM chained
    UNION ALL SELECT bench_id(), entry_id, revenue, price - ppn, 'IDR', NULL, NULL, NULL FROM due, income
    UNION ALL SELECT bench_id(), entry_id, payable, ppn, 'IDR', NULL, NULL, NULL FROM due, income
), wallet AS (
    UPDATE ledger_account a SET balance = d.balance - d.price, sequence = d.sequence, chain_hash = d.head
    FROM chained d WHERE a.id = d.account_id
), line AS (
    INSERT INTO transaction (id, customer_id, type, status, amount, currency, balance_before, balance_after, code,
        parameters, reference_kind, reference_id, entry_id, unique_key, created_at, completed_at)
    SELECT bench_id(), customer_id, 'RENEWAL', 'COMPLETED', -price, 'IDR', balance, balance - price, 'renewal',
        jsonb_build_object('app', app, 'plan', plan, 'interval', interval), 'subscription_charge', charge_id, entry_id,
        'charge:' || subscription_id || ':' || number, now, now FROM due
), charge AS (
    INSERT INTO subscription_charge (id, subscription_id, period_number, kind, amount, setup_fee, currency, entry_id,
        refunded, charged_at)
    SELECT charge_id, subscription_id, number, 'RENEWAL', price, 0, 'IDR', entry_id, 0, now FROM due
), attempt AS (
    INSERT INTO renewal_attempt (id, subscription_id, period_number, outcome, amount, missing, attempted_at)
    SELECT bench_id(), subscription_id, number, 'PAID', price, 0, now FROM due
), invoice AS (
    INSERT INTO document (id, customer_id, series, status, currency, net, ppn, total, ppn_rate_percent, ppn_base,
        ppn_base_numerator, ppn_base_denominator, seller, buyer, language, reference_kind, reference_id, created_at)
    SELECT document_id, customer_id, 'INVOICE', 'DRAFT', 'IDR', price - ppn, ppn, price, 12,
        round((price - ppn) * 11.0 / 12)::bigint, 11, 12,
        jsonb_build_object('brand', 'MinisPod', 'name', 'PT MinisPod Nusantara', 'address', 'Jakarta, Indonesia',
            'npwp', '', 'email', 'support@minispod.example'),
        jsonb_build_object('name', name, 'email', billing_email, 'number', customer_number), coalesce(language, 'id'),
        'subscription_charge', charge_id, now FROM due
), invoice_line AS (
    INSERT INTO document_line (id, document_id, position, code, parameters, quantity, amount)
    SELECT bench_id(), document_id, 1, 'renewal', jsonb_build_object('app', app, 'plan', plan, 'interval', interval,
        'from', begins_at::date, 'to', ends_at::date), 1, price FROM due
), work AS (
    INSERT INTO outbox_message (id, name, arguments, queue, created_at, run_at, attempts)
    SELECT bench_id(), 'invoices.issue', jsonb_build_object('document_id', document_id), 'default', now, now, 0 FROM due
), told AS (
    INSERT INTO notice (id, customer_id, code, parameters, unique_key, created_at)
    SELECT bench_id(), customer_id, 'renewed', jsonb_build_object('app', app, 'plan', plan, 'amount', price,
        'ends_at', ends_at, 'subscription_id', subscription_id), 'renewed:' || subscription_id || ':' || number, now
    FROM due
)
UPDATE subscription s SET period_number = d.number, period_started_at = d.begins_at, period_ends_at = d.ends_at,
    due_at = d.ends_at, remind_at = d.ends_at - interval '7 days'
FROM due d WHERE s.id = d.subscription_id
