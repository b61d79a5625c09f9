"""How near an imitation comes to its target: each score with its n, interval, floor and ceiling."""
