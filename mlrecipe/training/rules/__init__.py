"""What of a recipe's training can be judged before anything heavy is imported."""
