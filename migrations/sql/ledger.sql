-- What the database itself refuses, whoever asks: history is never rewritten, entries balance, and a wallet's
-- cached balance is that of its last posting.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: history is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER posting_is_append_only BEFORE UPDATE OR DELETE ON posting
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER posting_is_not_truncated BEFORE TRUNCATE ON posting EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_entry_is_append_only BEFORE UPDATE OR DELETE ON journal_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_entry_is_not_truncated BEFORE TRUNCATE ON journal_entry EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_entry_is_append_only BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_entry_is_not_truncated BEFORE TRUNCATE ON audit_entry EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_account_is_not_deleted BEFORE DELETE ON ledger_account
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_account_is_not_truncated BEFORE TRUNCATE ON ledger_account EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transaction_is_not_deleted BEFORE DELETE ON transaction
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transaction_is_not_truncated BEFORE TRUNCATE ON transaction EXECUTE FUNCTION refuse_change();

-- An entry sums to zero per currency and has two sides at least. Checked at commit, per entry.
CREATE FUNCTION check_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    entry uuid;
    sides integer;
BEGIN
    IF TG_TABLE_NAME = 'posting' THEN entry := NEW.entry_id; ELSE entry := NEW.id; END IF;
    SELECT count(*) INTO sides FROM posting WHERE entry_id = entry;
    IF sides < 2 THEN
        RAISE EXCEPTION 'entry % has % postings, two at least are needed', entry, sides
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM posting WHERE entry_id = entry GROUP BY currency HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'entry % does not balance', entry USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER posting_balances AFTER INSERT ON posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_entry_balances();
CREATE CONSTRAINT TRIGGER journal_entry_balances AFTER INSERT ON journal_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_entry_balances();

-- A wallet posting follows the one before it; a posting's currency is its account's.
CREATE FUNCTION check_posting_follows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owner uuid;
    account_currency text;
    before bigint;
BEGIN
    SELECT customer_id, currency INTO owner, account_currency FROM ledger_account WHERE id = NEW.account_id;
    IF account_currency <> NEW.currency THEN
        RAISE EXCEPTION 'posting in % on an account in %', NEW.currency, account_currency
            USING ERRCODE = 'check_violation';
    END IF;
    IF (owner IS NULL) <> (NEW.sequence IS NULL) OR (owner IS NULL) <> (NEW.balance_after IS NULL)
       OR (owner IS NULL) <> (NEW.chain_hash IS NULL) THEN
        RAISE EXCEPTION 'wallet postings, and only they, are numbered and chained'
            USING ERRCODE = 'check_violation';
    END IF;
    IF owner IS NOT NULL THEN
        IF NEW.sequence = 1 THEN
            before := 0;
        ELSE
            SELECT balance_after INTO before FROM posting
                WHERE account_id = NEW.account_id AND sequence = NEW.sequence - 1;
        END IF;
        IF before IS NULL OR before + NEW.amount <> NEW.balance_after THEN
            RAISE EXCEPTION 'posting % of account % does not follow the one before it', NEW.sequence, NEW.account_id
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER posting_follows AFTER INSERT ON posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_posting_follows();

-- A wallet's cached balance, sequence and hash are those of its last posting. Checked at commit.
CREATE FUNCTION check_wallet_agrees() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    account ledger_account%ROWTYPE;
    last posting%ROWTYPE;
BEGIN
    IF TG_TABLE_NAME = 'posting' THEN
        SELECT * INTO account FROM ledger_account WHERE id = NEW.account_id;
    ELSE
        SELECT * INTO account FROM ledger_account WHERE id = NEW.id;
    END IF;
    IF account.customer_id IS NULL THEN RETURN NULL; END IF;
    -- The condition lets the partial index answer: one row is read, however long the history.
    SELECT * INTO last FROM posting
        WHERE account_id = account.id AND sequence IS NOT NULL ORDER BY sequence DESC LIMIT 1;
    IF account.balance <> coalesce(last.balance_after, 0) OR account.sequence <> coalesce(last.sequence, 0)
       OR account.chain_hash <> coalesce(last.chain_hash, '') THEN
        RAISE EXCEPTION 'account % does not agree with its last posting', account.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER posting_agrees AFTER INSERT ON posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_wallet_agrees();
CREATE CONSTRAINT TRIGGER ledger_account_agrees AFTER INSERT OR UPDATE ON ledger_account
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_wallet_agrees();
