"""A scaled-out mesh on paper: which processes there are and where, their secrets, the files each is given.

Nothing here starts anything or knows a contract. Every process gets a folder that has all it needs, to be copied to
its machine; what signs (the CA's key, the issuer's key) stays in the folder of the operator.
"""
