"""Training of clusca's default models from pictures and words that Debian packages ship."""
