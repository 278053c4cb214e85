"""Files for other programs and for auditors."""
