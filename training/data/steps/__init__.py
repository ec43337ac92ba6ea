"""Steps between reading and a prepared set: each a part of a recipe, streamed, and counting what it did."""
