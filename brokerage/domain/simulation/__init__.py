"""What a simulated venue does with resting orders; yields reports, books nothing."""
