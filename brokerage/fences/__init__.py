"""The fence of a world and the send-intents written under it."""
