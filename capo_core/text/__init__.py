"""Text as numbers: tokens, style features, embeddings, input-content reduction."""
