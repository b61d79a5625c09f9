"""Who writes the answers: a model on this machine, a server, or a fake."""
