"""What a submitted DAG means to the graph: decided purely, merged once, answers kept."""
