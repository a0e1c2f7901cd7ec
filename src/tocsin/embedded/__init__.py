"""PostgreSQL and Valkey from wheels: real servers that need no installation and no configuration.

Both are used the same way, by `tocsin up`, by tests and by benches::

    with EmbeddedPostgres(folder, durable=False) as postgres, EmbeddedValkey(folder) as valkey:
        connect(postgres.url, valkey.url)

A server listens on 127.0.0.1 only, on a port and with a password that are kept in its data folder, and never
outlives the process that started it. It works for root too, in a checkout below a folder that is closed to
others, without making system users and without changing the mode of any folder it did not make.
"""
