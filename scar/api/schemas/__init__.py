"""The marshmallow schemas of the API, one file for each resource. Requests are validated with them,
and `/openapi.json` and `/docs` describe requests and responses with them.

Responses are not serialised by schemas: records return JSON themselves (`Job.to_json`), and a test
compares the server's responses with these schemas.
"""
