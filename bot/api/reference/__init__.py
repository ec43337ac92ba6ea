"""`/docs`: the description of the API as a page, with a form to try it. No other site is asked for anything."""
