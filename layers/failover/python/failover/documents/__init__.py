"""What leaves the controller as JSON: reports, events, answers. Types alone, so that importing them costs nothing.

Each document has a `version`, which is raised when a field goes or changes its meaning; a new field raises nothing.
`python -m command.document_schemas` writes their JSON Schemas to events/schemas/. Times are seconds since 1970.
"""
