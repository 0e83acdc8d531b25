"""Control events: drafted, encoded, subscribed to, followed from a snapshot, buried when nobody can handle them."""
