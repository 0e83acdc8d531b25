"""The schema registry: versions of row schemas, and who put which in force. What fits one is the domain's to say."""
