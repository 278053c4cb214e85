"""Pages and files that go out on paper."""
