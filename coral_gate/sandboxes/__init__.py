"""Where a sandbox is and how to reach its services: links give streams, never addresses."""
