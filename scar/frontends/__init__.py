"""The front-ends, one package each: they receive, send and edit messages on one platform."""
