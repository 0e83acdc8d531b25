"""Published fee schedules as data, each with its source and date."""
