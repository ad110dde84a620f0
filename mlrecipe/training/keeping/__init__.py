"""What is kept of a training: checkpoints, and the states that an interrupted one goes on from."""
