"""Making the product's own image."""
