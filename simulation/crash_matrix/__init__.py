"""One fault at a time, at every call that every function makes: it must end as without the fault."""
