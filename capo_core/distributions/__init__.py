"""What would many people say? Label distributions of people and of models, beside each other."""
