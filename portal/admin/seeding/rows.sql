ANALYZE seed_person, seed_subscribed, seed_line, seed_short;
-- users, customers and wallets
INSERT INTO user_account (id, name, email, password_hash, role, language, active, email_verified_at, created_at)
    SELECT user_id, name, email, :password, 'USER', 'id', true, created_at, created_at FROM seed_person ORDER BY created_at;
INSERT INTO customer (id, number, kind, name, billing_email, created_at)
    SELECT customer_id, :numbers_from + row_number() OVER (ORDER BY created_at, n) - 1, 'PERSON', name, email, created_at
    FROM seed_person ORDER BY created_at, n;
SELECT setval('customer_number', (SELECT max(number) FROM customer));
INSERT INTO membership (user_id, customer_id, role) SELECT user_id, customer_id, 'OWNER' FROM seed_person;
INSERT INTO ledger_account (id, customer_id, kind, currency, balance, sequence, chain_hash, created_at)
    SELECT available_id, customer_id, 'AVAILABLE', 'IDR', balance, sequence, head, created_at FROM seed_person
    UNION ALL SELECT held_id, customer_id, 'HELD', 'IDR', 0, 0, '', created_at FROM seed_person
    UNION ALL SELECT receivable_id, customer_id, 'RECEIVABLE', 'IDR', 0, 0, '', created_at FROM seed_person;
-- subscriptions and their apps
INSERT INTO subscription (id, customer_id, service_id, plan_id, status, interval, price, currency, anchor_day, started_at,
        period_number, period_started_at, period_ends_at, due_at, remind_at, holds_slot, auto_renew, grace_ends_at,
        suspended_at, suspend_reason, data_kept_until, ended_at, end_reason, idempotency_key, created_at)
    SELECT id, customer_id, service_id, plan_id, status, "interval", price, 'IDR', anchor_day, started_at, number,
           begins_at, ends_at,
           CASE WHEN ended_at IS NOT NULL THEN NULL WHEN status = 'PAST_DUE' THEN grace_ends_at
                WHEN status = 'SUSPENDED' THEN kept_until - interval '3 days' ELSE ends_at END,
           CASE WHEN status = 'ACTIVE' THEN ends_at - interval '1 day' END,
           status IN ('ACTIVE', 'PAST_DUE'), true, grace_ends_at, suspended_at,
           CASE WHEN suspended_at IS NOT NULL THEN 'UNPAID' END, kept_until, ended_at, end_reason, id\:\:text, started_at
    FROM seed_subscribed ORDER BY started_at;
INSERT INTO instance (id, customer_id, subscription_id, service_slug, service_name, name, namespace, state, wanted,
        cpu_millicores, memory_mib, storage_gib, created_at, ready_at, fenced_at, cleaned_up_at, failure_code,
        failure_parameters, health, silent_count, wanted_before_suspension, version, images)
    SELECT pg_temp.derived(s.id, 'app'), s.customer_id, s.id, v.slug, v.name, s.name, 'user-' || c.number,
           CASE WHEN s.ended_at IS NOT NULL THEN 'TERMINATED' WHEN s.status = 'SUSPENDED' THEN 'SUSPENDED' ELSE 'RUNNING' END,
           CASE WHEN s.ended_at IS NOT NULL THEN 'ABSENT' WHEN s.status = 'SUSPENDED' THEN 'SUSPENDED' ELSE 'RUNNING' END,
           p.cpu_millicores, p.memory_mib, p.storage_gib, s.started_at,
           CASE WHEN s.end_reason IS DISTINCT FROM 'provisioning_failed' THEN s.started_at + interval '1 minute' END,
           s.ended_at, s.ended_at, CASE WHEN s.end_reason = 'provisioning_failed' THEN 'timed_out' END, '{}'\:\:jsonb,
           CASE WHEN s.status IN ('ACTIVE', 'PAST_DUE') THEN 'ANSWERS' ELSE '' END, 0,
           CASE WHEN s.status = 'SUSPENDED' THEN 'RUNNING' END, v.version, '{}'\:\:jsonb
    FROM seed_subscribed s JOIN service v ON v.id = s.service_id JOIN plan p ON p.id = s.plan_id
    JOIN customer c ON c.id = s.customer_id ORDER BY s.started_at;
UPDATE plan SET slots_used = held.count, slots_total = greatest(slots_total, held.count + 5)
    FROM (SELECT plan_id, count(*) FROM subscription WHERE holds_slot GROUP BY plan_id) held WHERE held.plan_id = plan.id;
CREATE TEMP TABLE seed_booked ON COMMIT DROP AS
    SELECT l.*, pg_temp.derived(l.entry_id, 'document') AS document_id, md5(l.reference_id || 'transaction') AS transaction_id,
           CASE l.kind WHEN 'TOP_UP' THEN 'RECEIPT' WHEN 'REFUND' THEN 'CREDIT_NOTE' ELSE 'INVOICE' END AS series,
           CASE l.kind WHEN 'TOP_UP' THEN 'midtrans:' || md5(l.reference_id || 'transaction') || '\:credit'
                WHEN 'REFUND' THEN 'refund:' || l.reference_id || ':' || l.amount
                ELSE 'charge:' || l.subscription_id || ':' || l.number END AS key,
           abs(l.amount) AS total, v.name AS app, p.name AS plan, s.interval AS paid_by
    FROM seed_line l LEFT JOIN seed_subscribed s ON s.id = l.subscription_id
    LEFT JOIN service v ON v.id = s.service_id LEFT JOIN plan p ON p.id = s.plan_id
    WHERE l.entry_id IS NOT NULL ORDER BY l.at;
ANALYZE seed_booked;
-- the journal
INSERT INTO journal_entry (id, kind, idempotency_key, reference_kind, reference_id, corrects_id, happened_at, facts)
    SELECT b.entry_id, CASE b.kind WHEN 'TOP_UP' THEN 'TOP_UP' ELSE 'PURCHASE' END,
           b.key, CASE b.kind WHEN 'TOP_UP' THEN 'payment' ELSE 'subscription_charge' END, b.reference_id, NULL, b.at, '{}'\:\:jsonb
    FROM seed_booked b WHERE b.kind <> 'REFUND'
    UNION ALL
    SELECT b.entry_id, 'PURCHASE_REFUND', b.key, 'subscription_charge', b.reference_id, f.entry_id, b.at, '{}'\:\:jsonb
    FROM seed_booked b JOIN seed_booked f ON f.reference_id = b.reference_id AND f.kind = 'FIRST' WHERE b.kind = 'REFUND';
-- its postings
INSERT INTO posting (id, entry_id, account_id, amount, currency, sequence, balance_after, chain_hash)
    SELECT pg_temp.derived(entry_id, 'wallet'), entry_id, account_id, amount, 'IDR', sequence, after, chain_hash FROM seed_booked
    UNION ALL SELECT pg_temp.derived(entry_id, 'clearing'), entry_id, (SELECT id FROM ledger_account WHERE customer_id IS NULL
            AND kind = 'GATEWAY_CLEARING' AND qualifier = 'midtrans'), -amount, 'IDR', NULL, NULL, NULL
        FROM seed_booked WHERE kind = 'TOP_UP'
    UNION ALL SELECT pg_temp.derived(entry_id, 'revenue'), entry_id, (SELECT id FROM ledger_account WHERE customer_id IS NULL
            AND kind = 'REVENUE'), -sign(amount) * (total - ppn), 'IDR', NULL, NULL, NULL FROM seed_booked WHERE kind <> 'TOP_UP'
    UNION ALL SELECT pg_temp.derived(entry_id, 'ppn'), entry_id, (SELECT id FROM ledger_account WHERE customer_id IS NULL
            AND kind = 'PPN_PAYABLE'), -sign(amount) * ppn, 'IDR', NULL, NULL, NULL
        FROM seed_booked WHERE kind <> 'TOP_UP' AND ppn > 0;
-- what customers see of it
INSERT INTO transaction (id, customer_id, type, status, amount, currency, balance_before, balance_after, code, parameters,
        reference_kind, reference_id, entry_id, unique_key, created_at, completed_at)
    SELECT pg_temp.derived(entry_id, 'line'), customer_id, CASE kind WHEN 'TOP_UP' THEN 'TOP_UP' WHEN 'FIRST' THEN 'SUBSCRIPTION'
               WHEN 'REFUND' THEN 'REFUND' ELSE 'RENEWAL' END,
           'COMPLETED', amount, 'IDR', before, after,
           CASE kind WHEN 'TOP_UP' THEN 'top_up' WHEN 'FIRST' THEN 'subscription' WHEN 'REFUND' THEN 'provisioning_refund'
               ELSE 'renewal' END,
           CASE kind WHEN 'TOP_UP' THEN jsonb_build_object('method', method)
               ELSE jsonb_build_object('app', app, 'plan', plan, 'interval', paid_by) END,
           CASE kind WHEN 'TOP_UP' THEN 'payment' ELSE 'subscription_charge' END, reference_id, entry_id,
           CASE kind WHEN 'TOP_UP' THEN 'payment:' || reference_id ELSE key END, at, at
    FROM seed_booked
    UNION ALL SELECT pg_temp.derived(reference_id, 'line'), customer_id, 'TOP_UP', 'CANCELLED', amount, 'IDR', NULL, NULL, 'top_up',
           jsonb_build_object('method', method), 'payment', reference_id, NULL, 'payment:' || reference_id, at,
           at + interval '1 day'
    FROM seed_line WHERE kind = 'UNPAID';
-- payments
INSERT INTO payment (id, customer_id, purpose, gateway, method, status, amount, currency, idempotency_key, created_at,
        expires_at, settled_at)
    SELECT reference_id, customer_id, 'TOP_UP', 'midtrans', method, CASE kind WHEN 'TOP_UP' THEN 'SETTLED' ELSE 'EXPIRED' END,
           amount, 'IDR', reference_id\:\:text, at - interval '1 minute', at + interval '1 day',
           CASE kind WHEN 'TOP_UP' THEN at END
    FROM seed_line WHERE kind IN ('TOP_UP', 'UNPAID') ORDER BY at;
INSERT INTO payment_attempt (id, payment_id, gateway, number, order_id, created_at)
    SELECT pg_temp.derived(reference_id, 'attempt'), reference_id, 'midtrans', 1,
           'TOPUP-' || left(md5(reference_id || 'order'), 16) || '-1', at - interval '1 minute'
    FROM seed_line WHERE kind IN ('TOP_UP', 'UNPAID') ORDER BY at;
INSERT INTO gateway_transaction (id, attempt_id, gateway, transaction_id, status, payment_type, gross_amount, currency,
        credited, taken_back, instructions, first_seen_at, updated_at, settled_at)
    SELECT pg_temp.derived(reference_id, 'reported'), pg_temp.derived(reference_id, 'attempt'), 'midtrans',
           md5(reference_id || 'transaction'), CASE kind WHEN 'TOP_UP' THEN 'settlement' ELSE 'expire' END, method, amount,
           'IDR', CASE kind WHEN 'TOP_UP' THEN amount ELSE 0 END, 0, '{}'\:\:jsonb, at, at, CASE kind WHEN 'TOP_UP' THEN at END
    FROM seed_line WHERE kind IN ('TOP_UP', 'UNPAID') ORDER BY at;
INSERT INTO gateway_event (id, gateway, body, body_digest, order_id, verdict, received_at, received_count, processed_at, outcome)
    SELECT e.id, 'midtrans', convert_to(e.body, 'UTF8'), encode(sha256(convert_to(e.body, 'UTF8')), 'hex'),
           e.order_id, 'queued', e.at, 1, e.at, 'credited'
    FROM (SELECT at, pg_temp.derived(reference_id, 'event') AS id, 'TOPUP-' || left(md5(reference_id || 'order'), 16) || '-1' AS order_id,
                 json_build_object('order_id', 'TOPUP-' || left(md5(reference_id || 'order'), 16) || '-1', 'gross_amount',
                     amount || '.00', 'transaction_id', md5(reference_id || 'transaction'), 'transaction_status',
                     'settlement', 'status_code', '200')\:\:text AS body
          FROM seed_line WHERE kind = 'TOP_UP' ORDER BY at) e;
-- charges and tries to charge
INSERT INTO subscription_charge (id, subscription_id, period_number, kind, amount, setup_fee, currency, entry_id, refunded,
        charged_at)
    SELECT b.reference_id, b.subscription_id, b.number, b.kind, b.total, b.setup_fee, 'IDR', b.entry_id,
           coalesce(r.amount, 0), b.at
    FROM seed_booked b LEFT JOIN seed_line r ON r.kind = 'REFUND' AND r.reference_id = b.reference_id
    WHERE b.kind IN ('FIRST', 'RENEWAL') ORDER BY b.at;
INSERT INTO renewal_attempt (id, subscription_id, period_number, outcome, amount, missing, attempted_at)
    SELECT pg_temp.derived(entry_id, 'try'), subscription_id, number, 'PAID', total, 0, at FROM seed_booked WHERE kind = 'RENEWAL'
    UNION ALL SELECT pg_temp.derived(subscription_id, 'short' || number), subscription_id, number, 'SHORT', amount, missing, at
    FROM seed_short;
-- documents
INSERT INTO document (id, customer_id, series, status, year, number, currency, net, ppn, total, ppn_rate_percent, ppn_base,
        ppn_base_numerator, ppn_base_denominator, seller, buyer, language, reference_kind, reference_id, corrects_id,
        created_at, issued_at)
    SELECT b.document_id, b.customer_id, b.series, 'ISSUED', b.year,
           coalesce(n.last_number, 0) + row_number() OVER (PARTITION BY b.series, b.year ORDER BY b.at, b.entry_id), 'IDR',
           b.total - b.ppn, b.ppn, b.total, CASE b.series WHEN 'RECEIPT' THEN 0 ELSE :rate END,
           CASE b.series WHEN 'RECEIPT' THEN 0
                ELSE round((b.total - b.ppn) * CAST(:base_numerator AS numeric) / :base_denominator) END,
           CASE b.series WHEN 'RECEIPT' THEN 1 ELSE :base_numerator END,
           CASE b.series WHEN 'RECEIPT' THEN 1 ELSE :base_denominator END,
           '{"brand": "MinisPod", "name": "PT MinisPod Nusantara", "address": "Jakarta, Indonesia", "npwp": "", "email": ""}',
           jsonb_build_object('name', p.name, 'email', p.email, 'number', c.number), 'id',
           CASE b.series WHEN 'RECEIPT' THEN 'gateway_transaction' WHEN 'INVOICE' THEN 'subscription_charge'
                ELSE 'subscription_refund' END,
           CASE b.series WHEN 'RECEIPT' THEN pg_temp.derived(b.reference_id, 'reported') WHEN 'INVOICE' THEN b.reference_id
                ELSE pg_temp.derived(b.reference_id, 'refund') END,
           f.document_id, b.at, b.at
    FROM (SELECT *, CAST(extract(year FROM at AT TIME ZONE 'Asia/Jakarta') AS int) AS year FROM seed_booked) b
    JOIN seed_person p ON p.customer_id = b.customer_id JOIN customer c ON c.id = b.customer_id
    LEFT JOIN document_series n ON n.series = b.series AND n.year = b.year
    LEFT JOIN seed_booked f ON b.kind = 'REFUND' AND f.kind = 'FIRST' AND f.reference_id = b.reference_id
    ORDER BY b.at;
INSERT INTO document_series (series, year, last_number)
    SELECT series, year, max(number) FROM document WHERE number IS NOT NULL GROUP BY series, year
    ON CONFLICT (series, year) DO UPDATE SET last_number = excluded.last_number;
INSERT INTO document_line (id, document_id, position, code, parameters, quantity, amount)
    SELECT pg_temp.derived(entry_id, 'position1'), document_id, 1, CASE kind WHEN 'TOP_UP' THEN 'top_up' WHEN 'FIRST' THEN
               'subscription' WHEN 'REFUND' THEN 'provisioning_refund' ELSE 'renewal' END,
           CASE kind WHEN 'TOP_UP' THEN jsonb_build_object('method', method) ELSE jsonb_build_object('app', app, 'plan', plan,
               'interval', paid_by, 'from', (begins_at AT TIME ZONE 'Asia/Jakarta')\:\:date, 'to',
               (ends_at AT TIME ZONE 'Asia/Jakarta')\:\:date) END, 1, total - setup_fee
    FROM seed_booked
    UNION ALL SELECT pg_temp.derived(entry_id, 'position2'), document_id, 2, 'setup_fee', jsonb_build_object('app', app, 'plan',
           plan, 'interval', paid_by), 1, setup_fee FROM seed_booked WHERE setup_fee > 0;
-- notices
INSERT INTO notice (id, customer_id, code, parameters, unique_key, created_at, read_at)
    SELECT pg_temp.derived(entry_id, 'notice'), customer_id, CASE kind WHEN 'TOP_UP' THEN 'top_up_settled' ELSE 'renewed' END,
           CASE kind WHEN 'TOP_UP' THEN jsonb_build_object('amount', amount, 'method', method, 'payment_id', reference_id)
               ELSE jsonb_build_object('app', app, 'plan', plan, 'amount', total, 'ends_at', ends_at, 'subscription_id',
                   subscription_id) END,
           CASE kind WHEN 'TOP_UP' THEN 'top_up_settled:' ELSE 'renewed:' END || entry_id, at,
           CASE WHEN at < CAST(:now AS timestamptz) - interval '2 days' THEN at + interval '1 hour' END
    FROM seed_booked WHERE kind IN ('TOP_UP', 'RENEWAL');
-- work that was done, and some that failed
INSERT INTO outbox_message (id, name, arguments, queue, created_at, run_at, attempts, done_at, failed_at, last_error)
    SELECT pg_temp.derived(entry_id, 'work'), 'invoices.issue', jsonb_build_object('document_id', document_id), 'default', at, at,
           CASE WHEN left(md5(entry_id\:\:text), 4) = '0000' THEN 12 ELSE 1 END,
           CASE WHEN left(md5(entry_id\:\:text), 4) <> '0000' THEN at + interval '2 seconds' END,
           CASE WHEN left(md5(entry_id\:\:text), 4) = '0000' THEN at + interval '1 hour' END,
           CASE WHEN left(md5(entry_id\:\:text), 4) = '0000' THEN 'Unavailable: made up' END
    FROM seed_booked;
-- the audit log
INSERT INTO audit_entry (id, happened_at, actor_id, action, subject_kind, subject_id, facts, ip_address)
    SELECT pg_temp.derived(id, 'closed'), ended_at, NULL, 'instance.deleted', 'instance', pg_temp.derived(id, 'app')\:\:text, '{}'\:\:jsonb,
           '127.0.0.1'
    FROM seed_subscribed WHERE ended_at IS NOT NULL
    UNION ALL SELECT pg_temp.derived(id, 'shown'), started_at + interval '1 hour', p.user_id, 'instance.credentials_shown',
           'instance', pg_temp.derived(s.id, 'app')\:\:text, '{}'\:\:jsonb, '127.0.0.1'
    FROM seed_subscribed s JOIN seed_person p ON p.customer_id = s.customer_id
