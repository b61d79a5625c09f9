"""Label distributions of people and of models, and their comparison."""
