"""The operators' widget: its page in `static/`, and the package for Zoho CRM made of the same page."""
