"""The refit: from what people said to an adapter that was shown to be better, step by step, resumable at each."""
