"""The operators' page and how it is packed for other systems. Knows nothing of the API that serves it."""
