"""What auditors and witnesses run by themselves; no file here imports the service."""
