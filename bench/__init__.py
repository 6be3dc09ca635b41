"""What Tawny costs, measured beside the floor: the same statements without Tawny. `scripts/bench` runs it."""
