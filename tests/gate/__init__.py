"""Who is asking, for which route, and whether they may."""
