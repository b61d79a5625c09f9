"""Here so that tests of every folder find the helpers that lie beside this file."""
