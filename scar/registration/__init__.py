"""The registration of front-ends; no other module of SCAR names a particular front-end."""
