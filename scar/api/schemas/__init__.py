"""The shapes of the API, one file per noun: requests are checked by them, and `/openapi.json` and
`/docs` describe requests and answers with them.

Answers are not dumped through schemas. Records write themselves as JSON (`Job.to_json`), and a
test compares what the server answers with what is described.
"""
