"""What is there of a dataset in a range, and what is missing and why. Fetches nothing."""
