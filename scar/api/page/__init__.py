"""The page: a front-end in the browser, rendered on the server. docs/page.md describes it."""
