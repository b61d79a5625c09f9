"""Long computations in detached processes, as folders that anybody can read."""
