"""The job: a record with an event stream on Redis, rung for by Celery, claimed by a worker."""
