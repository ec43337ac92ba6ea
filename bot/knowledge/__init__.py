"""The knowledge base of a help desk: finding articles for a question. Knows no HTTP and no model."""
