"""`otklik bench`: methods trained from one base on one frozen split, side by side, and published tables beside ours."""
