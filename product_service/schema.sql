-- Tables and seed of the product service. Run as a whole in one transaction, under an advisory lock, at every start:
-- the first instance creates everything, later ones change nothing. No statement here may lock a table that is in
-- use (CREATE INDEX IF NOT EXISTS would), because an instance can be restarted while others sell.

CREATE TABLE IF NOT EXISTS products (
    product_id    integer PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    category      text NOT NULL,
    price         numeric(10, 2) NOT NULL CHECK (price > 0),
    initial_stock bigint NOT NULL CHECK (initial_stock >= 0),
    stock         bigint NOT NULL CHECK (stock >= 0)
) WITH (fillfactor = 50); -- room to update a row within its page, which spares the indexes

-- Every change of a stock, so that this always holds for every product:
--     products.stock = products.initial_stock + sum(ledger.change)
CREATE TABLE IF NOT EXISTS ledger (
    entry_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id      integer NOT NULL REFERENCES products,
    kind            text NOT NULL CHECK (kind IN ('purchase', 'adjustment')),
    change          bigint NOT NULL,
    quantity        bigint CHECK (quantity > 0),
    unit_price      numeric(10, 2),
    stock_after     bigint NOT NULL CHECK (stock_after >= 0),
    idempotency_key text UNIQUE,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (kind <> 'purchase' OR (quantity IS NOT NULL AND unit_price IS NOT NULL AND change = -quantity)),
    CHECK (kind <> 'adjustment' OR (quantity IS NULL AND unit_price IS NULL AND idempotency_key IS NULL))
);

-- Five products that tests know by name, and ninety-five whose names, categories, prices and stocks follow from
-- their number. Stocks are large so that a load test does not run out by accident.
INSERT INTO products (product_id, name, category, price, initial_stock, stock)
SELECT product_id, name, category, price, stock, stock
FROM (
    VALUES
        (1, 'Laptop', 'Electronics', 999.99, 100000),
        (2, 'Phone', 'Electronics', 599.99, 100000),
        (3, 'Headphones', 'Electronics', 149.99, 100000),
        (4, 'ZeroStockItem', 'Clothing', 19.99, 0),
        (5, 'LimitedEdition', 'Books', 79.95, 50)
    UNION ALL
    SELECT
        n,
        (ARRAY['Novel', 'Gadget', 'Jacket'])[1 + n % 3] || ' ' || lpad(n::text, 3, '0'),
        (ARRAY['Books', 'Electronics', 'Clothing'])[1 + n % 3],
        (499 + n * 7919 % 40000) / 100.0,
        100000 + n
    FROM generate_series(6, 100) AS n
) AS seed (product_id, name, category, price, stock)
WHERE NOT EXISTS (SELECT FROM products);
