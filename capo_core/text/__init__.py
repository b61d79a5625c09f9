"""From text to numbers: tokens, style features, embeddings, input-content reduction."""
