"""Commands on strategy projects: made from layers, changed, compared, validated."""
