"""The components that come with mlrecipe, each written exactly as a user's plugin would be."""
