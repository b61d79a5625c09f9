"""What distinguishes annotators, and how stable it is."""
