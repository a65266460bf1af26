"""A region is lost with every plan in it at once, in virtual time, with the limits that an account has."""
