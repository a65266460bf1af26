"""Small changes of the product's core, of which the tests must notice nearly every one."""
