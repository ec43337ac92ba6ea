"""Export of help desks: knowledge-base articles and tickets with their outcome, as files that the readers take.

`desk.py` says what an exporter needs of a desk, `zoho.py` is Zoho Desk, `export.py` writes files and resumes, `fake.py`
is a desk to test against. Knows nothing of training.
"""
