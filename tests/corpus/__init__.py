"""
Hostile and honest HTTP/1.1, named and with the verdict each must get: `requests` toward the gate, `responses` from behind it.
"""
