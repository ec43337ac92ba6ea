"""Small classes that read and write rows, one a table. They decide nothing and never commit."""
