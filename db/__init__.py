"""
Postgres and the blob store: the only home of SQLAlchemy, psycopg2 and boto3.

Imports only `engine`. Functions take a Session and never commit: `db.session.transaction` does.
"""
