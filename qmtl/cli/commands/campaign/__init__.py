"""`qmtl campaign ...`: how far strategies have come to live, what bars them, and their promotions."""
