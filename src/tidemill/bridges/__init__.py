"""The bridges to neighbours: one package for each library whose users can come as they are.

A bridge speaks the neighbour's language on one side and tidemill's on the other: it subclasses what
the neighbour lets others subclass, takes what its functions take, and gives back its types. Each
needs an extra of the same name and imports its neighbour late; no other room imports a bridge but
those above it.
"""
