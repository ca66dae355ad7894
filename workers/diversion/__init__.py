"""A program that diverts new connections from a published port to a stand-in, while it runs.

It holds an nftables table with `flags owner`: the kernel removes the table when this process ends,
and nobody else can change it. Only the standard library and libnftables are used, since it runs by
itself with no privilege but CAP_NET_ADMIN.
"""
