"""The generation worker: language models, adapters, the emotion classifier. ("Models" never means ORM rows here.)"""
