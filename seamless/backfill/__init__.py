"""What is missing of a dataset, fetched from its source: once, by whichever process, within the shared limits."""
